select count(*) from pgq.jobs
