-- Runners that were silent for $1 of their heartbeat intervals, or for $2 while the lock of their session is
-- free; and the names of leases that belong to no runner at all. All by the database's clock.
-- Their rows are locked until their leases are taken: one that comes back meanwhile waits with its heartbeat, and then learns
-- that it was taken for dead. One whose heartbeat is just coming is passed over.
with silent as materialized (
    select r.id, r.name from pgq.runners r
    where r.id <> $3
      and (r.heartbeat_at < now() - $1 * r.heartbeat_every
           or (r.heartbeat_at < now() - $2 * r.heartbeat_every
               and r.lock_key is not null and pg_try_advisory_xact_lock(r.lock_key)))
    for update skip locked
)
select id, name from silent
union all
select distinct l.runner_id, 'unknown' from pgq.leases l
where not exists (select from pgq.runners r where r.id = l.runner_id)
  and l.claimed_at < now() - interval '1 minute'
