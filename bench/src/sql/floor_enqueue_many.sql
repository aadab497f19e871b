insert into pgq.ready (queue, kind, priority, version, shape, max_attempts, payload)
select $1, $2, $3, $4, $5, $6, payload from unnest($7::bytea[]) as p (payload)
