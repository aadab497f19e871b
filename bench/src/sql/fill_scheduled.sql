-- $8 jobs of the next month, all alike but for their times.
insert into pgq.scheduled (queue, kind, priority, version, shape, max_attempts, payload, run_at)
select $1, $2, $3, $4, $5, $6, $7, now() + interval '1 day' + random() * interval '30 days'
from generate_series(1, $8)
