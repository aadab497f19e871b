-- Leases $2 go; the payloads $3 become jobs of queue $4 again.
with gone as (delete from pgq.leases where runner_id = $1 and id = any($2))
insert into pgq.ready (queue, kind, priority, version, shape, max_attempts, payload)
select $4, $4, 0, 1, 0, 2, payload from unnest($3::bytea[]) as p (payload)
