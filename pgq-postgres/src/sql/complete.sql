-- Ends whole leases whose jobs all completed and leave nothing behind: the common case. $3 the queues of these
-- jobs: after a success they are slow no longer.
with recovered as (
    update pgq.queues set slow_ms = 0, slow_until = null where name = any($3) and slow_ms > 0
)
delete from pgq.leases where runner_id = $1 and id = any($2) returning id
