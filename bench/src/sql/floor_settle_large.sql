with gone as (delete from pgq.leases where runner_id = $1 and id = $2 returning ids)
delete from pgq.payloads p using gone where p.job_id = any(gone.ids)
