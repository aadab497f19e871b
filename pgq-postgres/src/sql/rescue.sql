-- Takes back what dead runner $1 (named $4) had not settled in its lease $2, or only the job at position $3 of it.
-- The attempt is spent and a crash is counted; at the last attempt, or at $5 crashes, the job is discarded.
-- A job that was aboard an earlier crash and had not begun again is not to blame for this one: it goes back as it was.
-- A job that somebody cancelled ends.
-- $3 null: all jobs, and the lease ends. The caller holds the rescue lock and has found the runner dead.
with held as materialized (
    select l as lease, l.runner_id, l.id, l.done, l.cancelled, cardinality(l.ids) as size
    from pgq.leases l where l.runner_id = $1 and l.id = $2 for update
),
lost as materialized (
    select j.*, j.attempts + j.started::integer as spent, j.crashes + j.started::integer as crashed,
           case when j.id = any(held.cancelled) then 'cancelled while it ran'
                when j.started and j.crashes + 1 >= $5 then format('its runner died %s times while it ran', j.crashes + 1)
                when j.started and j.attempts + 1 >= j.max_attempts then 'its runner died during its last attempt'
           end as reason,
           case when j.id = any(held.cancelled) then 'cancelled' else 'discarded' end as state
    from held cross join lateral pgq.jobs_of(held.lease) j
    where $3::integer is null or j.position = $3
),
failed as (
    insert into pgq.failures (job_id, attempt, crash, runner, error)
    select id, spent, true, $4, 'the runner died during this attempt' from lost where started
),
-- The first failure and the last ten are kept.
old as (
    delete from pgq.failures f using lost l
    where f.job_id = any(array(select id from lost where started and attempts > 10))
      and l.id = f.job_id and f.attempt > 1 and f.attempt <= l.attempts - 9
),
again as (
    insert into pgq.ready (id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, queue, kind,
                           payload, options, run_at)
    select id, enqueued_at, shape, priority, version, spent, max_attempts, crashed, queue, kind,
           payload, options, run_at
    from lost where reason is null
    returning queue
),
ended as (
    insert into pgq.finished (id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, state,
                              queue, kind, payload, options, run_at, reason)
    select id, enqueued_at, shape, priority, version, spent, max_attempts, crashed, state,
           queue, kind, payload, options, run_at, reason
    from lost where reason is not null
),
keys as (
    delete from pgq.unique_keys k where k.ctid = any(array(
        select ctid from pgq.unique_keys where job_id = any(array(select id from lost where reason is not null))
        for update skip locked))
),
gone as (
    delete from pgq.leases l using held h where l.runner_id = h.runner_id and l.id = h.id and $3 is null
),
marked as (
    update pgq.leases l
    set done = set_bit(coalesce(h.done, decode(repeat('00', (h.size + 7) / 8), 'hex')), $3, 1)
    from held h
    where $3 is not null and l.runner_id = h.runner_id and l.id = h.id and exists (select from lost)
),
woken as materialized (
    select pg_notify($6, queue) from (select distinct queue from again) q
    where exists (select from pgq.sleepers s where s.queue = q.queue and s.asleep)
)
select (select count(*) from again) as again,
       (select count(*) from lost where reason is not null) as ended,
       (select count(*) from woken) as woken
