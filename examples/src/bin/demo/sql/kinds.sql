-- One row a kind, and one for all with a null kind.
with job as (
    select kind, job_id, max(attempt) as attempts, min(ready_at) as ready_at, max(ended_at) as ended_at
    from attempts group by kind, job_id
),
done as (
    select kind, count(*) as jobs, sum(attempts)::bigint as attempts,
           extract(epoch from max(ended_at) - min(ready_at))::float8 as seconds
    from job group by grouping sets ((kind), ())
),
pickup as (
    select kind, percentile_cont(array[0.5, 0.99])
                 within group (order by extract(epoch from started_at - ready_at)::float8 * 1000) as ms
    from attempts group by grouping sets ((kind), ())
)
select done.kind, jobs, attempts, seconds, ms[1] as p50, ms[2] as p99
from done join pickup on pickup.kind is not distinct from done.kind
order by done.kind nulls last
