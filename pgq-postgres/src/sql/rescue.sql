-- Takes back what dead runner $1 (named $4) had not settled in its lease $2, or only the job at position $3 of it.
-- The attempt is spent and a crash is counted; at the last attempt, or at $5 crashes, the job is discarded.
-- $3 null: all jobs, and the lease ends. The caller holds the rescue lock and has found the runner dead.
with held as materialized (
    select l.runner_id, l.id, l.done, cardinality(l.ids) as size
    from pgq.leases l where l.runner_id = $1 and l.id = $2 for update
),
lost as materialized (
    select j.*, j.attempts + 1 >= j.max_attempts as spent, j.crashes + 1 >= $5 as poison
    from held join pgq.leased j on j.runner_id = held.runner_id and j.lease_id = held.id
    where $3::integer is null or j.position = $3
),
failed as (
    insert into pgq.failures (job_id, attempt, crash, runner, error)
    select id, attempts + 1, true, $4, 'the runner died during this attempt' from lost
),
again as (
    insert into pgq.ready (id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, queue, kind,
                           payload, options, run_at)
    select id, enqueued_at, shape, priority, version, attempts + 1, max_attempts, crashes + 1, queue, kind,
           payload, options, run_at
    from lost where not spent and not poison
    returning queue
),
ended as (
    insert into pgq.finished (id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, state,
                              queue, kind, payload, options, run_at, reason)
    select id, enqueued_at, shape, priority, version, attempts + 1, max_attempts, crashes + 1, 'discarded',
           queue, kind, payload, options, run_at,
           case when poison then format('its runner died %s times while it ran', crashes + 1)
                else 'its runner died during its last attempt' end
    from lost where spent or poison
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
       (select count(*) from lost where spent or poison) as discarded,
       (select count(*) from woken) as woken
