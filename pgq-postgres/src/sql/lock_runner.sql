-- Held by the heartbeat's session for as long as the process lives: a killed one frees it at once.
select pg_try_advisory_lock($1)
