-- $8 jobs that completed in the last hour, too young to be pruned.
insert into pgq.finished (id, enqueued_at, finished_at, shape, priority, version, attempts, max_attempts, crashes, state,
                          queue, kind, payload)
select nextval('pgq.job_ids'), now() - interval '2 hours', now() - random() * interval '1 hour', $5, $3, $4, 1, $6, 0,
       'completed', $1, $2, $7
from generate_series(1, $8)
