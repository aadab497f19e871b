-- Moves those of these jobs that wait: $1-$3 their ids, queues and priorities. $4 a new priority; $5 a new time, or $6
-- the time from now; null: as it is. $7 who asks for it, $8 the word for it and $9 what for, to be noted.
-- $10 the channel. Returns the ids of those that moved. What was wrong with a parked job is forgotten.
with waiting as materialized (
    select w.*, coalesce($5::timestamptz, now() + $6::interval, w.run_at) as new_run_at,
           coalesce($4::smallint, w.priority) as new_priority
    from pgq.take_waiting_at($1::bigint[], $2::text[], $3::smallint[]) w
),
due as (
    insert into pgq.ready (id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, queue, kind,
                           payload, options, run_at)
    select id, enqueued_at, shape, new_priority, version, attempts, max_attempts, crashes, queue, kind,
           payload, options, new_run_at
    from waiting where new_run_at is null or new_run_at <= now()
    returning queue
),
later as (
    insert into pgq.scheduled (id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, queue, kind,
                               payload, options, run_at)
    select id, enqueued_at, shape, new_priority, version, attempts, max_attempts, crashes, queue, kind,
           payload, options, new_run_at
    from waiting where new_run_at > now()
),
history as (
    delete from pgq.failures f using waiting w
    where f.job_id = any(array(select id from waiting where run_at = 'infinity' and new_run_at < 'infinity'))
      and w.id = f.job_id and f.attempt = w.attempts + 1
),
noted as (
    insert into pgq.audit (actor, action, jobs, detail)
    select $7, $8, array_agg(id), $9::jsonb from waiting having count(*) > 0
),
woken as materialized (
    select pg_notify($10, queue) from (select distinct queue from due) q
    where exists (select from pgq.sleepers s where s.queue = q.queue and s.asleep)
)
select id, (select count(*) from woken) as woken from waiting
