-- The leases in a runner's name.
select id from pgq.leases where runner_id = $1
