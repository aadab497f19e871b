insert into flaky_reports (job_id) values ($1)
