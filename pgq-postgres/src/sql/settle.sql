-- Records outcomes for leases of runner $1, and says which of those leases it still held.
-- $2-$4 leases, their bitmaps of settled jobs, and whether that is all of them.
-- $5-$9 the outcomes that leave something: lease, position, outcome, wait, error. $10 the runner's name.
-- $11 the channel. $12 queues in which a job completed: they are slow no longer.
-- A job that somebody cancelled neither retries nor snoozes nor is parked nor goes back.
-- A job that was settled before is not among those of the locked row, so a repeated flush changes nothing.
-- Leases are found by their ids alone, one by one or from an array: a join may be planned as a walk over all leases, of
-- which an old snapshot keeps every one that there was.
with held as materialized (
    select l.lease, l.id, s.done, s.whole, l.cancelled
    from unnest($2::uuid[], $3::bytea[], $4::boolean[]) as s (id, done, whole)
    cross join lateral (
        select l as lease, l.id, l.cancelled from pgq.leases l where l.runner_id = $1 and l.id = s.id for update
    ) l
),
settled as materialized (
    select j.*, o.wait, o.error,
           case when o.outcome in ('retry', 'snooze', 'park', 'release') and j.id = any(j.cancelled) then 'cancel'
                else o.outcome end as outcome
    from unnest($5::uuid[], $6::integer[], $7::text[], $8::interval[], $9::text[])
        as o (lease_id, position, outcome, wait, error)
    -- The fence keeps the planner from unpacking a lease once for each outcome.
    join (select held.cancelled, j.* from held cross join lateral pgq.jobs_of(held.lease) j offset 0) j
        on j.lease_id = o.lease_id and j.position = o.position
),
failed as (
    insert into pgq.failures (job_id, attempt, runner, error)
    select id, attempts + 1, $10, error from settled where error is not null
),
-- A job that is parked again has one row for it.
reparked as (
    delete from pgq.failures f using settled s
    where f.job_id = any(array(select id from settled where outcome = 'park'))
      and s.id = f.job_id and f.attempt = s.attempts + 1
),
-- The first failure and the last ten are kept.
old as (
    delete from pgq.failures f using settled s
    where f.job_id = any(array(select id from settled where error is not null and attempts > 10))
      and s.id = f.job_id and f.attempt > 1 and f.attempt <= s.attempts - 9
),
later as (
    insert into pgq.scheduled (id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, queue,
                               kind, payload, options, run_at)
    select id, enqueued_at, shape, priority, version, attempts + (outcome = 'retry')::integer, max_attempts,
           crashes, queue, kind, payload, options, case outcome when 'park' then 'infinity' else now() + wait end
    from settled where outcome in ('retry', 'snooze', 'park')
),
released as (
    insert into pgq.ready (id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, queue, kind,
                           payload, options, run_at)
    select id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, queue, kind,
           payload, options, run_at
    from settled where outcome = 'release'
),
ended as (
    insert into pgq.finished (id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, state,
                              queue, kind, payload, options, run_at, reason)
    select id, enqueued_at, shape, priority, version, attempts + (outcome <> 'cancel' or error is not null)::integer,
           max_attempts, crashes, case outcome when 'keep' then 'completed' when 'cancel' then 'cancelled' else 'discarded' end,
           queue, kind, payload, options, run_at, case outcome when 'cancel' then 'cancelled while it ran' else error end
    from settled where outcome in ('keep', 'discard', 'cancel')
),
bodies as (
    delete from pgq.payloads where job_id = any(array(select id from settled where outcome = 'complete'))
),
history as (
    delete from pgq.failures where job_id = any(array(select id from settled where outcome = 'complete'))
),
-- A key that somebody has locked is being taken over, since it has expired.
keys as (
    delete from pgq.unique_keys k where k.ctid = any(array(
        select ctid from pgq.unique_keys
        where job_id = any(array(select id from settled where outcome in ('complete', 'keep', 'discard', 'cancel')))
        for update skip locked))
),
gone as (
    delete from pgq.leases where runner_id = $1 and id = any(array(select id from held where whole))
),
-- A flush that comes late, its connection long given up, must not take back the bits of those after it.
kept as (
    update pgq.leases l set done = (
        select case when l.done is null then h.done else (
            select decode(string_agg(lpad(to_hex(get_byte(h.done, n) | get_byte(l.done, n)), 2, '0'), '' order by n), 'hex')
            from generate_series(0, length(h.done) - 1) n
        ) end
        from held h where h.id = l.id
    )
    where l.runner_id = $1 and l.id = any(array(select id from held where not whole))
),
recovered as (
    update pgq.queues set slow_ms = 0, slow_until = null where name = any($12) and slow_ms > 0
),
woken as materialized (
    select pg_notify($11, queue) from (select distinct queue from settled where outcome = 'release') q
    where exists (select from pgq.sleepers s where s.queue = q.queue and s.asleep)
)
select id, (select count(*) from woken) as woken from held
