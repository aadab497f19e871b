-- Kinds and payload versions among the first $2 ready jobs of these queues that no living runner reads, with their
-- number.
select r.kind, r.version, count(*) as jobs
from unnest($1::text[]) as q (queue)
cross join lateral (
    select r.kind, r.version from pgq.ready r where r.queue = q.queue order by r.queue, r.priority, r.id limit $2) r
where not exists (
    select from pgq.runners l
    where l.heartbeat_at >= now() - 15 * l.heartbeat_every and q.queue = any(l.queues)
      and r.version <= l.versions[array_position(l.kinds, r.kind)])
group by r.kind, r.version order by r.kind, r.version
