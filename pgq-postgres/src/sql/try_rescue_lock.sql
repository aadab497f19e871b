-- One rescuer at a time; the others have nothing to wait for.
select pg_try_advisory_xact_lock($1)
