-- Takes due jobs out of ready and packs them into leases of runner $11: one for all that are alike but in what the arrays
-- hold, and one each for those of kinds in $10 and those that were aboard a crash. A lease's id is $13, which no other claim
-- has, and the id of one of its jobs.
-- $1, $2 queues with their free slots; $3-$6 the stretches of them to look at; $7 jobs in all; $8 kinds known, $9 their
-- newest versions; $12 what to do while others claim. Small claims do nothing: they lock by themselves, without a function.
-- `ctid = any((select ..))` runs the locking sub-select exactly once; without that fence the planner may run it
-- again and claim more than it was asked to.
with claimed as (
    delete from pgq.ready r
    where r.ctid = any((select case $12
        when 'none' then array(
            select c.ctid
            from unnest($1::text[], $2::integer[]) with ordinality as w (queue, slots, number)
            cross join lateral (
                select f.ctid
                from unnest($3::integer[], $4::smallint[], $5::bigint[], $6::integer[]) as s (number, priority, id, until)
                cross join lateral (
                    select r.ctid from pgq.ready r
                    where r.queue = w.queue collate "C" and (r.priority, r.id) >= (s.priority, s.id) and r.priority < s.until
                      and r.kind = any($8)
                      and (r.version = 1 or r.version <= ($9::smallint[])[array_position($8::text[], r.kind)])
                    order by r.queue, r.priority, r.id limit w.slots for update skip locked) f
                where s.number = w.number
                limit w.slots) c
            where coalesce((select q.paused_at is null and (q.slow_until is null or q.slow_until <= now())
                            from pgq.queues q where q.name = w.queue collate "C"), true)
            limit $7::integer)
        else pgq.lock_next($12, pg_current_snapshot(), $1, $2, $3, $4, $5, $6, $7, $8, $9) end)::tid[])
    returning r.*
)
insert into pgq.leases (id, runner_id, started, last_id, shape, priority, version, crashes, queue, kind, ids,
                        enqueued_ats, attempts, max_attempts, payloads, options, run_ats)
select encode(int8send($13) || int8send((array_agg(id))[1]), 'hex')::uuid, $11, crashes = 0,
       case when count(*) >= 250 then max(id) end, shape, priority, version, crashes, queue, kind,
       array_agg(id), array_agg(enqueued_at), array_agg(attempts), array_agg(max_attempts), array_agg(payload),
       array_agg(options), array_agg(run_at)
from claimed
group by kind, queue, shape, priority, version, crashes, case when kind = any($10) or crashes > 0 then id end
returning id, shape, priority, version, crashes, queue, kind, ids, enqueued_ats, attempts, max_attempts, payloads, options
