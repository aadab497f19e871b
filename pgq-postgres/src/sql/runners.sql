-- The runners with what they have in hand, those that started last first. $1 how many jobs of each.
select r.id, r.name, r.started_at, r.library, r.slots, r.queues, r.kinds, r.counts,
       extract(epoch from now() - r.heartbeat_at)::float8 as silent_seconds,
       r.heartbeat_at >= now() - 15 * r.heartbeat_every as alive, r.lock_key is not null as locks,
       (select count(*) from pgq.leased j where j.runner_id = r.id) as in_hand,
       j.ids, j.job_kinds, j.job_queues, j.attempts, j.seconds
from pgq.runners r
left join lateral (
    select array_agg(j.id order by j.claimed_at, j.id) as ids, array_agg(j.kind order by j.claimed_at, j.id) as job_kinds,
           array_agg(j.queue order by j.claimed_at, j.id) as job_queues,
           array_agg((j.attempts + 1)::smallint order by j.claimed_at, j.id) as attempts,
           array_agg(extract(epoch from now() - j.claimed_at)::float8 order by j.claimed_at, j.id) as seconds
    from (select l.claimed_at, j.id, j.kind, j.queue, j.attempts
          from pgq.leases l cross join lateral pgq.jobs_of(l) j
          where l.runner_id = r.id order by l.claimed_at, j.id limit $1) j) j on true
order by r.started_at desc, r.id
