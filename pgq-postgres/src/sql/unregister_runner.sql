-- The runner has stopped. Its row stays if a lease is left, so that a rescuer finds it. The row is locked first, as a
-- rescuer does.
with leaving as (select id from pgq.runners where id = $1 for update),
awake as (delete from pgq.sleepers s using leaving l where s.runner_id = l.id)
delete from pgq.runners r using leaving l
where r.id = l.id and not exists (select from pgq.leases l where l.runner_id = $1)
