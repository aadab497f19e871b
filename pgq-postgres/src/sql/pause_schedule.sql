-- Schedule $1 does not tick until it is resumed. No row: there is none.
update pgq.schedules s
set paused_at = coalesce(s.paused_at, now()), next_at = null, revision = s.revision + 1
where s.name = $1 returning s.name
