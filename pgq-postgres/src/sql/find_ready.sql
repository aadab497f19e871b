-- Ready jobs, the latest first. $1 queue, $2 kind, $3 only ids below that, $4 how many to look at, $5 how many at most,
-- $6 enqueued longer ago, $7 enqueued since, $8 indexed fields, $9 text of an error, $10 states.
-- Also how many it looked at, and down to which id.
with recursive lanes as (
    (select queue, priority from pgq.ready
     where ($1::text is null or queue = $1 collate "C") and ($10::text[] is null or 'ready' = any($10))
     order by queue, priority limit 1)
    union all
    select next.queue, next.priority
    from lanes l cross join lateral (
        (select r.queue, r.priority from pgq.ready r
         where $1 is null and (r.queue, r.priority) > (l.queue, l.priority) order by r.queue, r.priority limit 1)
        union all
        (select r.queue, r.priority from pgq.ready r
         where r.queue = $1 collate "C" and r.priority > l.priority order by r.queue, r.priority limit 1)) next
),
looked as materialized (
    select c.* from lanes l cross join lateral (
        select id, queue, kind, priority, attempts, max_attempts, crashes, enqueued_at, run_at, version, shape, options
        from pgq.ready r
        where r.queue = l.queue and r.priority = l.priority and r.id < $3
        order by r.queue desc, r.priority desc, r.id desc limit $4) c
    order by c.id desc limit $4
)
select t.looked, t.reached, j.*
from (select count(*) as looked, min(id) as reached from looked) t
left join lateral (
    select id, 'ready' as state, queue, kind, priority, attempts, max_attempts, crashes, enqueued_at, run_at,
           null::timestamptz as finished_at, null::uuid as runner_id, null::text as reason, options->'args' as args
    from looked
    where ($2::text is null or kind = $2 collate "C")
      and ($6::interval is null or enqueued_at < now() - $6)
      and ($7::interval is null or enqueued_at >= now() - $7)
      and ($8::jsonb is null or options->'args' @> $8)
      and ($9::text is null or exists (
          select from pgq.failures f where f.job_id = looked.id and position(lower($9) in lower(f.error)) > 0))
    order by id desc limit $5) j on true
order by j.id desc
