-- The failed attempts of job $1 that are on record, in order.
select attempt, at, crash, runner, error from pgq.failures where job_id = $1 order by at, attempt limit 100
