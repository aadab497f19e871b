-- Sessions that wait for their next statement and whose last one begins with $1: when it began, and how long it took.
-- In seconds. The server cuts statements off at track_activity_query_size.
select extract(epoch from query_start)::float8, extract(epoch from state_change - query_start)::float8
from pg_stat_activity
where datname = current_database() and state = 'idle' and starts_with(query, $1)
