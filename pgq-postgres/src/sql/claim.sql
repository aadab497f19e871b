-- Takes due jobs out of ready and packs them into leases of runner $11: one for all that are alike but in what the arrays
-- hold, and one each for those of kinds in $10 and those that were aboard a crash.
-- $1, $2 queues with their free slots; $3-$6 the stretches of them to look at; $7 jobs in all; $8 kinds known, $9 their
-- newest versions; $12 what to do while others claim.
-- `ctid = any((select ..))` runs the locking sub-select exactly once; without that fence the planner may run it
-- again and claim more than it was asked to.
with claimed as (
    delete from pgq.ready r
    where r.ctid = any((select pgq.lock_next($12, pg_current_snapshot(), $1, $2, $3, $4, $5, $6, $7, $8, $9))::tid[])
    returning r.*
)
insert into pgq.leases (id, runner_id, started, last_id, shape, priority, version, crashes, queue, kind, ids,
                        enqueued_ats, attempts, max_attempts, payloads, options, run_ats)
select gen_random_uuid(), $11, crashes = 0, case when count(*) >= 250 then max(id) end, shape, priority, version, crashes,
       queue, kind, array_agg(id), array_agg(enqueued_at), array_agg(attempts), array_agg(max_attempts),
       array_agg(payload), array_agg(options), array_agg(run_at)
from claimed
group by kind, queue, shape, priority, version, crashes, case when kind = any($10) or crashes > 0 then id end
returning id, shape, priority, version, crashes, queue, kind, ids, enqueued_ats, attempts, max_attempts, payloads, options
