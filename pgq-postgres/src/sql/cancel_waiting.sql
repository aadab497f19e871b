-- Ends job $1 if it waits. The ready table has no index on ids: one look per queue and priority finds it.
with recursive lanes as (
    (select queue, priority from pgq.ready order by queue, priority limit 1)
    union all
    select next.queue, next.priority
    from lanes l cross join lateral (
        select r.queue, r.priority from pgq.ready r
        where (r.queue, r.priority) > (l.queue, l.priority)
        order by r.queue, r.priority limit 1) next
),
ready as (
    delete from pgq.ready r where r.ctid = any(array(
        select f.ctid from lanes l cross join lateral (
            select r.ctid from pgq.ready r
            where r.queue = l.queue and r.priority = l.priority and r.id = $1 for update) f))
    returning r.*
),
scheduled as (
    delete from pgq.scheduled where id = $1 returning *
)
insert into pgq.finished (id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, state,
                          queue, kind, payload, options, run_at, reason)
select id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, 'cancelled',
       queue, kind, payload, options, run_at, 'cancelled while it waited'
from (
    select id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, queue, kind, payload, options,
           run_at from ready
    union all
    select id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, queue, kind, payload, options,
           run_at from scheduled) j
returning id
