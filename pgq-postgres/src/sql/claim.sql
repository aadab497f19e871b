-- Takes due jobs out of ready and packs them into leases of runner $9: one for all that are alike but in what the arrays
-- hold, and one each for those of kinds in $8 and those that were aboard a crash.
-- $1-$4 queues with their free slots and floors; $5 jobs in all; $6 kinds known, $7 their newest versions; $10 what to do
-- while others claim.
-- `ctid = any((select ..))` runs the locking sub-select exactly once; without that fence the planner may run it
-- again and claim more than it was asked to.
with claimed as (
    delete from pgq.ready r
    where r.ctid = any((select pgq.lock_next($10, $1, $2, $3, $4, $5, $6, $7))::tid[])
    returning r.*
)
insert into pgq.leases (id, runner_id, started, last_id, shape, priority, version, crashes, queue, kind, ids,
                        enqueued_ats, attempts, max_attempts, payloads, options, run_ats)
select gen_random_uuid(), $9, crashes = 0, case when count(*) >= 250 then max(id) end, shape, priority, version, crashes,
       queue, kind, array_agg(id), array_agg(enqueued_at), array_agg(attempts), array_agg(max_attempts),
       array_agg(payload), array_agg(options), array_agg(run_at)
from claimed
group by kind, queue, shape, priority, version, crashes, case when kind = any($8) or crashes > 0 then id end
returning id, shape, priority, version, crashes, queue, kind, ids, enqueued_ats, attempts, max_attempts, payloads, options
