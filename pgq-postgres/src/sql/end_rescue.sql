-- Nothing of the dead runner is left, or what is left could not be moved and keeps its row for the next try.
with awake as (delete from pgq.sleepers where runner_id = $1),
empty as (
    delete from pgq.leases l where l.runner_id = $1
       and not exists (select from pgq.leased j where j.runner_id = $1 and j.lease_id = l.id)
)
delete from pgq.runners r where r.id = $1
   and not exists (select from pgq.leased j where j.runner_id = $1)
