-- Takes the first job of queue $1 from a place on, of priority $2 and id $3, into a lease of runner $6 whose id is $7, which
-- no other claim has, and the job's. $4 kinds known, $5 their newest versions.
-- What claim.sql does, without all that one job of one queue can do without: it is for a runner that slept, and a server
-- that has slept runs everything from cold caches.
with claimed as (
    delete from pgq.ready r
    where r.ctid = any(array(
        select r.ctid from pgq.ready r
        where r.queue = $1 and (r.priority, r.id) >= ($2, $3)
          and r.kind = any($4) and (r.version = 1 or r.version <= ($5::smallint[])[array_position($4::text[], r.kind)])
          and not exists (select from pgq.queues q where q.name = $1 and (q.paused_at is not null or q.slow_until > now()))
        order by r.queue, r.priority, r.id limit 1 for update skip locked))
    returning r.*
)
insert into pgq.leases (id, runner_id, started, shape, priority, version, crashes, queue, kind, ids, enqueued_ats,
                        attempts, max_attempts, payloads, options, run_ats)
select encode(int8send($7) || int8send(id), 'hex')::uuid, $6, crashes = 0, shape, priority, version, crashes, queue, kind,
       array[id], array[enqueued_at], array[attempts], array[max_attempts], array[payload], array[options], array[run_at]
from claimed
returning id, shape, priority, version, crashes, queue, kind, ids, enqueued_ats, attempts, max_attempts, payloads, options
