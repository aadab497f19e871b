-- Takes due jobs out of ready and packs them into leases of runner $9, one lease for all but those of kinds in
-- $8 and those that were aboard a crash, which get one each.
-- $1-$4 queues with their free slots and floors; $5 jobs in all; $6 kinds known, $7 their newest versions.
-- `ctid = any(array(..))` runs the locking sub-select exactly once; without that fence the planner may run it
-- again and claim more than it was asked to.
with want as materialized (
    select w.* from unnest($1::text[], $2::integer[], $3::smallint[], $4::bigint[])
        as w (queue, slots, floor_priority, floor_id)
    left join pgq.queues q on q.name = w.queue collate "C"
    where q.name is null or (q.paused_at is null and (q.slow_until is null or q.slow_until <= now()))
),
claimed as (
    delete from pgq.ready r where r.ctid = any(array(
        select c.ctid from want w cross join lateral (
            select r.ctid from pgq.ready r
            where r.queue = w.queue and (r.priority, r.id) >= (w.floor_priority, w.floor_id)
              and r.kind = any($6)
              and (r.version = 1 or r.version <= ($7::smallint[])[array_position($6::text[], r.kind)])
            order by r.queue, r.priority, r.id limit w.slots for update skip locked) c
        limit $5))
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
