-- Notes attempt $2 at job $1. $3 kind, $4 seconds since the handler's first line.
-- A retry could have begun when it was due; a first attempt, when it was enqueued.
insert into attempts (job_id, attempt, kind, ready_at, started_at)
select $1, $2, $3, coalesce(jobs.run_at, run.ready_at), clock_timestamp() - make_interval(secs => $4)
from run left join pgq.jobs on jobs.id = $1
on conflict do nothing
