-- The same row as an enqueue makes, and no look at who sleeps.
insert into pgq.ready (queue, kind, priority, version, shape, max_attempts, payload)
values ($1, $2, $3, $4, $5, $6, $7)
