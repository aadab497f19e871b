-- Programs' sessions only: the server's own workers come and go.
select count(*) from pg_stat_activity where datname = $1 and backend_type = 'client backend'
