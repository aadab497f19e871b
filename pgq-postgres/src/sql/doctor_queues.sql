-- The queues with ready jobs, up to $1.
with recursive queues as (
    (select queue from pgq.ready order by queue limit 1)
    union all
    select next.queue from queues l cross join lateral (
        select r.queue from pgq.ready r where r.queue > l.queue order by r.queue limit 1) next
)
select queue from queues limit $1
