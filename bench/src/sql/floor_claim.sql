-- The least a claim can be: $2 jobs of queue $1 become one lease of $3. All are taken to be alike.
-- No pauses, kinds, floors or solo leases.
with claimed as (
    delete from pgq.ready where ctid = any(array(
        select ctid from pgq.ready where queue = $1
        order by queue, priority, id limit $2 for update skip locked))
    returning *
)
insert into pgq.leases (id, runner_id, shape, priority, version, crashes, queue, kind, ids, enqueued_ats,
                        attempts, max_attempts, payloads, options, run_ats)
select gen_random_uuid(), $3, min(shape), min(priority), min(version), min(crashes), $1, min(kind),
       array_agg(id), array_agg(enqueued_at), array_agg(attempts), array_agg(max_attempts), array_agg(payload), array_agg(options),
       array_agg(run_at)
from claimed
having count(*) > 0
returning id, ids, kind, attempts, payloads
