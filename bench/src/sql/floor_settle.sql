delete from pgq.leases where runner_id = $1 and id = $2
