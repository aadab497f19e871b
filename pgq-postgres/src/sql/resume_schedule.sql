-- Schedule $1, if it is paused and still of revision $2, ticks again, next at $3; tells runners ($4 the channel).
-- $5 who asks for it, to be noted.
with resumed as (
    update pgq.schedules s set paused_at = null, next_at = $3, revision = s.revision + 1
    where s.name = $1 and s.revision = $2 and s.paused_at is not null
    returning name
),
noted as (
    insert into pgq.audit (actor, action, detail)
    select $5, 'resume_schedule', jsonb_build_object('schedule', name) from resumed
)
select name, pg_notify($4, '!schedule') from resumed
