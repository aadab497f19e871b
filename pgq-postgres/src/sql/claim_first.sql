-- Takes the first job of queue $1 out of ready and into a lease of runner $7, whose id is $8, which no other claim has, and
-- the job's. $2-$4 the stretches to look at; $5 kinds known, $6 their newest versions.
-- What claim.sql does, without all that one job of one queue can do without: it is for a runner that slept, and a server
-- that has slept runs everything from cold caches.
with claimed as (
    delete from pgq.ready r
    where r.ctid = any(array(
        select f.ctid from unnest($2::smallint[], $3::bigint[], $4::integer[]) as s (priority, id, until)
        cross join lateral (
            select r.ctid from pgq.ready r
            where r.queue = $1 and (r.priority, r.id) >= (s.priority, s.id) and r.priority < s.until
              and r.kind = any($5) and (r.version = 1 or r.version <= ($6::smallint[])[array_position($5::text[], r.kind)])
            order by r.queue, r.priority, r.id limit 1 for update skip locked) f
        where not exists (select from pgq.queues q
                          where q.name = $1 and (q.paused_at is not null or q.slow_until > now()))
        limit 1))
    returning r.*
)
insert into pgq.leases (id, runner_id, started, shape, priority, version, crashes, queue, kind, ids, enqueued_ats,
                        attempts, max_attempts, payloads, options, run_ats)
select encode(int8send($8) || int8send(id), 'hex')::uuid, $7, crashes = 0, shape, priority, version, crashes, queue, kind,
       array[id], array[enqueued_at], array[attempts], array[max_attempts], array[payload], array[options], array[run_at]
from claimed
returning id, shape, priority, version, crashes, queue, kind, ids, enqueued_ats, attempts, max_attempts, payloads, options
