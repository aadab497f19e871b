-- What retries waits for a moment only; what is scheduled for later than that is a backlog beside the measurement.
select (select count(*) from pgq.ready) + (select count(*) from pgq.leased)
       + (select count(*) from pgq.scheduled where run_at < now() + interval '1 hour')
