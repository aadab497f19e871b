-- Job $1, wherever it is. The ready table has no index on ids: one look per queue and priority finds it.
with recursive lanes as (
    (select queue, priority from pgq.ready order by queue, priority limit 1)
    union all
    select next.queue, next.priority
    from lanes l cross join lateral (
        select r.queue, r.priority from pgq.ready r
        where (r.queue, r.priority) > (l.queue, l.priority)
        order by r.queue, r.priority limit 1) next
),
job as (
    select r.id, 'ready' as state, r.queue, r.kind, r.priority, r.attempts, r.max_attempts, r.crashes, r.enqueued_at,
           r.run_at, null::timestamptz as finished_at, null::uuid as runner_id, null::text as reason, r.version,
           r.shape, r.payload, r.options
    from lanes l cross join lateral (
        select * from pgq.ready r where r.queue = l.queue and r.priority = l.priority and r.id = $1) r
    union all
    select j.id, 'running', j.queue, j.kind, j.priority, j.attempts, j.max_attempts, j.crashes, j.enqueued_at,
           j.run_at, null, j.runner_id, null, j.version, j.shape, j.payload, j.options
    from pgq.leases l cross join lateral pgq.jobs_of(l) j where l.ids @> array[$1::bigint] and j.id = $1
    union all
    select id, case when run_at = 'infinity' then 'parked' else 'scheduled' end, queue, kind, priority, attempts,
           max_attempts, crashes, enqueued_at, nullif(run_at, 'infinity'), null, null, null, version, shape, payload, options
    from pgq.scheduled where id = $1
    union all
    select id, state, queue, kind, priority, attempts, max_attempts, crashes, enqueued_at, run_at, finished_at, null,
           reason, version, shape, payload, options
    from pgq.finished where id = $1
)
select j.id, j.state, j.queue, j.kind, j.priority, j.attempts, j.max_attempts, j.crashes, j.enqueued_at, j.run_at,
       j.finished_at, j.runner_id, j.reason, j.options->'args' as args, j.version, j.shape, j.options - 'args' as options,
       coalesce(j.payload, (select p.body from pgq.payloads p where p.job_id = j.id)) as payload,
       (select r.name from pgq.runners r where r.id = j.runner_id) as runner,
       (select l.claimed_at from pgq.leases l where j.state = 'running' and l.runner_id = j.runner_id
            and l.ids @> array[$1::bigint] limit 1) as claimed_at,
       exists (select from pgq.leases l where j.state = 'running' and l.cancelled @> array[$1::bigint]) as cancel_asked
from job j limit 1
