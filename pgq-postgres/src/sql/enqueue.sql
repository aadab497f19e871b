-- One job, due now. Notifies only if a runner sleeps on the queue: NOTIFY takes a database-wide lock at commit.
insert into pgq.ready (queue, kind, priority, version, shape, max_attempts, payload, options)
values ($1, $2, $3, $4, $5, $6, $7, $8)
returning id, case
    when exists (select from pgq.sleepers s where s.queue = $1 and s.asleep) then pg_notify($9, $1)
end
