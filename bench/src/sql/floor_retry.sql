-- The jobs of lease $2 go back if this was their first attempt, and otherwise are gone.
with gone as (delete from pgq.leases where runner_id = $1 and id = $2 returning *)
insert into pgq.ready (id, enqueued_at, shape, priority, version, attempts, max_attempts, queue, kind, payload)
select j.id, j.enqueued_at, j.shape, j.priority, j.version, j.attempts + 1, j.max_attempts, j.queue, j.kind, j.payload
from gone, unnest(ids, enqueued_ats, shapes, priorities, versions, attempts, max_attempts, queues, kinds, payloads)
    as j (id, enqueued_at, shape, priority, version, attempts, max_attempts, queue, kind, payload)
where j.attempts = 0
