-- $8 jobs, all alike, as enqueueing them one by one would have left them.
insert into pgq.ready (queue, kind, priority, version, shape, max_attempts, payload)
select $1, $2, $3, $4, $5, $6, $7 from generate_series(1, $8)
