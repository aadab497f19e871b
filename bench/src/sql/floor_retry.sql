-- The jobs of lease $2 go back if this was their first attempt, and otherwise are gone.
with gone as (delete from pgq.leases where runner_id = $1 and id = $2 returning *)
insert into pgq.ready (id, enqueued_at, shape, priority, version, attempts, max_attempts, queue, kind, payload)
select j.id, j.enqueued_at, shape, priority, version, j.attempts + 1, j.max_attempts, queue, kind, j.payload
from gone, unnest(ids, enqueued_ats, gone.attempts, gone.max_attempts, payloads)
    as j (id, enqueued_at, attempts, max_attempts, payload)
where j.attempts = 0
