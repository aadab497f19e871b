-- Every queue that holds jobs, has a setting, or that a runner serves. $1 how far to count; $2 how many jobs at the head
-- of each priority to look at for the oldest. Alone the queue $3, if it is given.
with recursive ready_queues as (
    (select queue from pgq.ready order by queue limit 1)
    union all
    select next.queue from ready_queues l cross join lateral (
        select r.queue from pgq.ready r where r.queue > l.queue order by r.queue limit 1) next
),
scheduled_queues as (
    (select queue from pgq.scheduled order by queue limit 1)
    union all
    select next.queue from scheduled_queues l cross join lateral (
        select s.queue from pgq.scheduled s where s.queue > l.queue order by s.queue limit 1) next
),
lanes as (
    (select queue, priority from pgq.ready order by queue, priority limit 1)
    union all
    select next.queue, next.priority from lanes l cross join lateral (
        select r.queue, r.priority from pgq.ready r
        where (r.queue, r.priority) > (l.queue, l.priority) order by r.queue, r.priority limit 1) next
),
oldest as materialized (
    select l.queue, max(now() - coalesce(h.run_at, h.enqueued_at)) as waits
    from lanes l cross join lateral (
        select run_at, enqueued_at from pgq.ready r where r.queue = l.queue and r.priority = l.priority
        order by r.queue, r.priority, r.id limit $2) h
    group by l.queue
),
running as materialized (
    select queue, count(*) as jobs from pgq.leased group by queue
),
parked as materialized (
    select queue, count(*) as jobs
    from (select queue from pgq.scheduled where run_at = 'infinity' limit $1) p group by queue
),
alive as materialized (
    select * from pgq.runners where heartbeat_at >= now() - 15 * heartbeat_every
),
served as materialized (
    select u.queue, count(*) as runners from alive r cross join lateral unnest(r.queues) as u (queue) group by u.queue
),
done as materialized (
    select c.key as queue, sum((c.value->>'completed')::bigint) as completed, sum((c.value->>'failed')::bigint) as failed,
           sum((c.value->>'discarded')::bigint) as discarded,
           sum((c.value->'minute'->>'completed')::bigint) as minute_completed,
           sum((c.value->'minute'->>'failed')::bigint) as minute_failed
    from alive r cross join lateral jsonb_each(r.counts) c
    group by c.key
),
names as (
    select queue as name from ready_queues union select queue from scheduled_queues union select name from pgq.queues
    union select queue from served union select queue from running
)
select n.name, q.paused_at, q.slow_until, q.max_running,
       (select count(*) from (select from pgq.ready r where r.queue = n.name collate "C" limit $1) c) as ready,
       coalesce(running.jobs, 0) as running,
       (select count(*) from (select from pgq.scheduled s where s.queue = n.name collate "C" limit $1) c) as scheduled,
       coalesce(parked.jobs, 0) as parked, extract(epoch from oldest.waits)::float8 as oldest_seconds,
       coalesce(served.runners, 0) as runners, coalesce(done.completed, 0)::bigint as completed,
       coalesce(done.failed, 0)::bigint as failed, coalesce(done.discarded, 0)::bigint as discarded,
       coalesce(done.minute_completed, 0)::bigint as minute_completed,
       coalesce(done.minute_failed, 0)::bigint as minute_failed
from names n
left join pgq.queues q on q.name = n.name collate "C"
left join oldest on oldest.queue = n.name
left join running on running.queue = n.name
left join parked on parked.queue = n.name
left join served on served.queue = n.name
left join done on done.queue = n.name
where $3::text is null or n.name = $3
order by n.name
