-- Exact once the sessions that made them have ended.
select n_tup_ins from pg_stat_user_tables where relid = 'pgq.leases'::regclass
