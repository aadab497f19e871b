-- A new runner, or one whose row a rescuer took while it could not be reached.
insert into pgq.runners (id, name, lock_key, library, slots, queues, kinds, versions, heartbeat_every)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (id) do update set heartbeat_at = now()
