-- Takes due jobs out of ready and packs them into leases of runner $9, one lease for all but those of kinds in
-- $8 and those that were aboard a crash, which get one each.
-- $1-$4 queues with their free slots and floors; $5 jobs in all; $6 kinds known, $7 their newest versions; $10 what to do
-- while others claim.
-- `ctid = any(array(..))` runs the locking sub-select exactly once; without that fence the planner may run it
-- again and claim more than it was asked to.
with claimed as (
    delete from pgq.ready r where r.ctid = any(array(
        select pgq.lock_next($10, $1, $2, $3, $4, $5, $6, $7)))
    returning r.*
)
insert into pgq.leases (id, runner_id, started, ids, enqueued_ats, shapes, priorities, versions, attempts, max_attempts,
                        crashes, queues, kinds, payloads, options, run_ats)
select gen_random_uuid(), $9, max(crashes) = 0, array_agg(id), array_agg(enqueued_at), array_agg(shape), array_agg(priority),
       array_agg(version), array_agg(attempts), array_agg(max_attempts), array_agg(crashes), array_agg(queue),
       array_agg(kind), array_agg(payload), array_agg(options), array_agg(run_at)
from claimed
group by case when kind = any($8) or crashes > 0 then id end
returning id, ids, enqueued_ats, shapes, priorities, versions, attempts, max_attempts, crashes, queues, kinds,
          payloads, options
