-- Completes the one job of lease $2 in the handler's own transaction. No row: the lease is lost, or holds more jobs.
-- $3 keep the completed job.
with held as (
    delete from pgq.leases where runner_id = $1 and id = $2 and cardinality(ids) = 1 returning *
),
kept as (
    insert into pgq.finished (id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, state,
                              queue, kind, payload, options, run_at)
    select ids[1], enqueued_ats[1], shape, priority, version, attempts[1] + 1, max_attempts[1], crashes, 'completed',
           queue, kind, payloads[1], options[1], run_ats[1]
    from held where $3
),
bodies as (
    delete from pgq.payloads where job_id = any(array(select ids[1] from held where not $3))
),
history as (
    delete from pgq.failures where job_id = any(array(select ids[1] from held where not $3))
),
keys as (
    delete from pgq.unique_keys k where k.ctid = any(array(
        select ctid from pgq.unique_keys where job_id = any(array(select ids[1] from held)) for update skip locked))
),
recovered as (
    update pgq.queues q set slow_ms = 0, slow_until = null from held h where q.name = h.queue and q.slow_ms > 0
)
select id from held
