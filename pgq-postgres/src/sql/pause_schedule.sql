-- Schedule $1 does not tick until it is resumed. $2 who asks for it, to be noted if it was not paused before. No row: there
-- is no such schedule.
with old as (
    select name, paused_at from pgq.schedules where name = $1 for update
),
paused as (
    update pgq.schedules s set paused_at = now(), next_at = null, revision = s.revision + 1
    from old where s.name = old.name and old.paused_at is null
    returning s.name
),
noted as (
    insert into pgq.audit (actor, action, detail)
    select $2, 'pause_schedule', jsonb_build_object('schedule', name) from paused
)
select name from old
