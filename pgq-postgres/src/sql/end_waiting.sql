-- Ends those of these jobs that wait: $1-$3 their ids, queues and priorities, $4 cancelled or discarded, $5 the reason.
-- $6 who asks for it, $7 what for, to be noted. Returns the ids of those that ended.
with waiting as materialized (
    select * from pgq.take_waiting_at($1::bigint[], $2::text[], $3::smallint[])
),
keys as (
    delete from pgq.unique_keys k where k.ctid = any(array(
        select ctid from pgq.unique_keys where job_id = any(array(select id from waiting)) for update skip locked))
),
ended as (
    insert into pgq.finished (id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, state,
                              queue, kind, payload, options, run_at, reason)
    select id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, $4,
           queue, kind, payload, options, run_at, $5
    from waiting
),
noted as (
    insert into pgq.audit (actor, action, jobs, detail)
    select $6, case $4 when 'cancelled' then 'cancel' else 'discard' end, array_agg(id), $7::jsonb
    from waiting having count(*) > 0
)
select id from waiting
