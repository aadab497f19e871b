-- How many jobs are in each state, counted to $1, and how many rows the tables have by the planner's last estimate.
select (select count(*) from (select from pgq.ready limit $1) c) as ready,
       (select count(*) from pgq.leased) as running,
       (select count(*) from (select from pgq.scheduled where run_at < 'infinity' limit $1) c) as scheduled,
       (select count(*) from (select from pgq.scheduled where run_at = 'infinity' limit $1) c) as parked,
       (select count(*) from (select from pgq.finished where state = 'completed' limit $1) c) as completed,
       (select count(*) from (select from pgq.finished where state = 'discarded' limit $1) c) as discarded,
       (select count(*) from (select from pgq.finished where state = 'cancelled' limit $1) c) as cancelled,
       (select greatest(reltuples, 0)::bigint from pg_class where oid = 'pgq.ready'::regclass) as ready_rows,
       (select greatest(reltuples, 0)::bigint from pg_class where oid = 'pgq.scheduled'::regclass) as scheduled_rows,
       (select greatest(reltuples, 0)::bigint from pg_class where oid = 'pgq.finished'::regclass) as finished_rows
