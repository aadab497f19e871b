-- The bodies that are too large for a lease.
select job_id, body from pgq.payloads where job_id = any($1)
