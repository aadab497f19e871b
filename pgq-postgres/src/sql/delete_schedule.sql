-- Deletes schedule $1; its jobs stay. $2 who asks for it, to be noted. No row: there is none.
with deleted as (
    delete from pgq.schedules where name = $1 returning name
)
insert into pgq.audit (actor, action, detail)
select $2, 'delete_schedule', jsonb_build_object('schedule', name) from deleted
returning id
