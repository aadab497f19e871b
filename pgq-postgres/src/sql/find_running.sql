-- Jobs in the hands of runners; parameters and answer as in find_ready.sql.
with looked as materialized (
    select id, queue, kind, priority, attempts, max_attempts, crashes, enqueued_at, run_at, runner_id, options
    from pgq.leased
    where id < $3 and ($1::text is null or queue = $1) and ($10::text[] is null or 'running' = any($10))
    order by id desc limit $4
)
select t.looked, t.reached, j.*
from (select count(*) as looked, min(id) as reached from looked) t
left join lateral (
    select id, 'running' as state, queue, kind, priority, attempts, max_attempts, crashes, enqueued_at, run_at,
           null::timestamptz as finished_at, runner_id, null::text as reason, options->'args' as args
    from looked
    where ($2::text is null or kind = $2)
      and ($6::interval is null or enqueued_at < now() - $6)
      and ($7::interval is null or enqueued_at >= now() - $7)
      and ($8::jsonb is null or options->'args' @> $8)
      and ($9::text is null or exists (
          select from pgq.failures f where f.job_id = looked.id and position(lower($9) in lower(f.error)) > 0))
    order by id desc limit $5) j on true
order by j.id desc
