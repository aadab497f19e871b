-- The first $1 schedules by name, or the one that is called $2.
select s.name, s.revision, s.cron, s.timezone, s.missed, s.missed_most, s.overlap, s.jitter, s.kind, s.queue,
       s.declared is not null as declared, s.created_at, s.paused_at, s.last_at, s.last_job, s.next_at, now() as now
from pgq.schedules s
where $2::text is null or s.name = $2
order by s.name limit $1
