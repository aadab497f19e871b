-- The first $1 schedules to tick, but for those named in $2, and the time.
select s.name, s.revision, s.cron, s.timezone, s.missed, s.missed_most, s.kind, s.queue, s.next_at, now() as now
from pgq.schedules s
where s.next_at is not null and s.name <> all($2::text[])
order by s.next_at limit $1
