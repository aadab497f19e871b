-- Schedule $1, if it is paused and still of revision $2, ticks again, next at $3; tells runners ($4 the channel).
with resumed as (
    update pgq.schedules s set paused_at = null, next_at = $3, revision = s.revision + 1
    where s.name = $1 and s.revision = $2 and s.paused_at is not null
    returning name
)
select name, pg_notify($4, '!schedule') from resumed
