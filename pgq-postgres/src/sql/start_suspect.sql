-- A job that was aboard a crash begins again: if its runner dies now, it may be to blame. No row: the lease is lost.
update pgq.leases set started = true where runner_id = $1 and id = $2 returning id
