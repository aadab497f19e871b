-- Completed, discarded and cancelled jobs; parameters and answer as in find_ready.sql. One of three ways leads to them:
-- by indexed fields, by state, queue and kind, or by id alone.
with recursive lanes as (
    (select state, queue, kind from pgq.finished
     where ($1::text is not null or $2::text is not null or $10::text[] is not null) and $8::jsonb is null
     order by state, queue, kind limit 1)
    union all
    select next.state, next.queue, next.kind
    from lanes l cross join lateral (
        select f.state, f.queue, f.kind from pgq.finished f
        where (f.state, f.queue, f.kind) > (l.state, l.queue, l.kind)
        order by f.state, f.queue, f.kind limit 1) next
),
looked as materialized (
    (select id, state, queue, kind, priority, attempts, max_attempts, crashes, enqueued_at, run_at, finished_at, reason,
            options
     from (select * from pgq.finished f where f.options->'args' @> $8 offset 0) f
     where $8 is not null and id < $3 and ($10 is null or state = any($10))
       and ($1 is null or queue = $1) and ($2 is null or kind = $2)
     order by id desc limit $4)
    union all
    (select c.* from lanes l cross join lateral (
        select id, state, queue, kind, priority, attempts, max_attempts, crashes, enqueued_at, run_at, finished_at,
               reason, options
        from pgq.finished f
        where f.state = l.state and f.queue = l.queue and f.kind = l.kind and f.id < $3
        order by f.state desc, f.queue desc, f.kind desc, f.id desc limit $4) c
     where ($10 is null or l.state = any($10)) and ($1 is null or l.queue = $1) and ($2 is null or l.kind = $2)
     order by c.id desc limit $4)
    union all
    (select id, state, queue, kind, priority, attempts, max_attempts, crashes, enqueued_at, run_at, finished_at, reason,
            options
     from pgq.finished
     where $1 is null and $2 is null and $8 is null and $10 is null and id < $3
     order by id desc limit $4)
)
select t.looked, t.reached, j.*
from (select count(*) as looked, min(id) as reached from looked) t
left join lateral (
    select id, state, queue, kind, priority, attempts, max_attempts, crashes, enqueued_at, run_at, finished_at,
           null::uuid as runner_id, reason, options->'args' as args
    from looked
    where ($6::interval is null or enqueued_at < now() - $6)
      and ($7::interval is null or enqueued_at >= now() - $7)
      and ($9::text is null or position(lower($9) in lower(reason)) > 0 or exists (
          select from pgq.failures f where f.job_id = looked.id and position(lower($9) in lower(f.error)) > 0))
    order by id desc limit $5) j on true
order by j.id desc
