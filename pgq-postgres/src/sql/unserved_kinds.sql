-- Kinds among the first $2 ready jobs of these queues that no living runner knows, with their number.
select r.kind, count(*) as jobs
from unnest($1::text[]) as q (queue)
cross join lateral (
    select r.kind from pgq.ready r where r.queue = q.queue order by r.queue, r.priority, r.id limit $2) r
where not exists (select from pgq.runners l where r.kind = any(l.kinds) and q.queue = any(l.queues))
group by r.kind order by r.kind
