-- The positions in a lease that are not settled.
select position from pgq.leased where runner_id = $1 and lease_id = $2
