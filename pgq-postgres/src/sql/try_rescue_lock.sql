-- One rescuer at a time; the others have nothing to wait for. It does not wait long for a lease that somebody has locked,
-- either: that may be a transaction whose client is gone, and others need rescue. Nor do others wait long for a rescuer
-- whose process is stopped or cut off half-way: the server ends its session.
select pg_try_advisory_xact_lock($1)
    and set_config('lock_timeout', '500ms', true) is not null
    and set_config('idle_in_transaction_session_timeout', '5s', true) is not null
