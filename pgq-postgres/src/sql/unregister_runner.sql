-- The runner has stopped. Its row stays if a lease is left, so that a rescuer finds it.
with awake as (delete from pgq.sleepers where runner_id = $1)
delete from pgq.runners r where r.id = $1 and not exists (select from pgq.leases l where l.runner_id = $1)
