-- Ends job $1 if it waits. $2 who asks for it, to be noted.
with waiting as materialized (
    select * from pgq.take_waiting($1)
),
keys as (
    delete from pgq.unique_keys k where k.ctid = any(array(
        select ctid from pgq.unique_keys where job_id = any(array(select id from waiting)) for update skip locked))
),
noted as (
    insert into pgq.audit (actor, action, jobs) select $2, 'cancel', array[id] from waiting
)
insert into pgq.finished (id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, state,
                          queue, kind, payload, options, run_at, reason)
select id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, 'cancelled',
       queue, kind, payload, options, run_at, 'cancelled while it waited'
from waiting
returning id
