select body from pgq.payloads where job_id = any($1)
