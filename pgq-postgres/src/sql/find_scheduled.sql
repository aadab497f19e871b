-- Scheduled and parked jobs; parameters and answer as in find_ready.sql. One of four ways leads to them: by indexed
-- fields, among the parked, by queue and kind, or by id alone.
with recursive lanes as (
    (select queue, kind from pgq.scheduled
     where ($1::text is not null or $2::text is not null) and $8::jsonb is null
       and ($1 is null or queue = $1 collate "C")
     order by queue, kind limit 1)
    union all
    select next.queue, next.kind
    from lanes l cross join lateral (
        (select s.queue, s.kind from pgq.scheduled s
         where $1 is null and (s.queue, s.kind) > (l.queue, l.kind) order by s.queue, s.kind limit 1)
        union all
        (select s.queue, s.kind from pgq.scheduled s
         where s.queue = $1 collate "C" and s.kind > l.kind order by s.queue, s.kind limit 1)) next
),
looked as materialized (
    (select id, queue, kind, priority, attempts, max_attempts, crashes, enqueued_at, run_at, options
     from (select * from pgq.scheduled s where s.options->'args' @> $8 offset 0) s
     where $8 is not null and id < $3 and ($1 is null or queue = $1) and ($2 is null or kind = $2)
     order by id desc limit $4)
    union all
    (select id, queue, kind, priority, attempts, max_attempts, crashes, enqueued_at, run_at, options
     from (select * from pgq.scheduled s where s.run_at = 'infinity' offset 0) s
     where $8 is null and $10 = array['parked'] and id < $3
       and ($1 is null or queue = $1) and ($2 is null or kind = $2)
     order by id desc limit $4)
    union all
    (select c.* from lanes l cross join lateral (
        select id, queue, kind, priority, attempts, max_attempts, crashes, enqueued_at, run_at, options
        from pgq.scheduled s
        where s.queue = l.queue and s.kind = l.kind and s.id < $3
        order by s.queue desc, s.kind desc, s.id desc limit $4) c
     where $10 is distinct from array['parked'] and ($2 is null or l.kind = $2)
     order by c.id desc limit $4)
    union all
    (select id, queue, kind, priority, attempts, max_attempts, crashes, enqueued_at, run_at, options
     from pgq.scheduled
     where $1 is null and $2 is null and $8 is null and $10 is distinct from array['parked'] and id < $3
     order by id desc limit $4)
)
select t.looked, t.reached, j.*
from (select count(*) as looked, min(id) as reached from looked) t
left join lateral (
    select id, case when run_at = 'infinity' then 'parked' else 'scheduled' end as state, queue, kind, priority,
           attempts, max_attempts, crashes, enqueued_at, nullif(run_at, 'infinity') as run_at,
           null::timestamptz as finished_at, null::uuid as runner_id, null::text as reason, options->'args' as args
    from looked
    where ($10 is null or case when run_at = 'infinity' then 'parked' else 'scheduled' end = any($10))
      and ($6::interval is null or enqueued_at < now() - $6)
      and ($7::interval is null or enqueued_at >= now() - $7)
      and ($9::text is null or exists (
          select from pgq.failures f where f.job_id = looked.id and position(lower($9) in lower(f.error)) > 0))
    order by id desc limit $5) j on true
order by j.id desc
