-- Dead rows of our tables, and whether autovacuum comes to them.
select c.relname::text as name, coalesce(s.n_live_tup, 0) as live, coalesce(s.n_dead_tup, 0) as dead,
       extract(epoch from now() - s.last_autovacuum)::float8 as vacuumed_seconds,
       current_setting('autovacuum') = 'on' and coalesce(
           (select o.option_value::boolean from pg_options_to_table(c.reloptions) o where o.option_name = 'autovacuum_enabled'),
           true) as autovacuum,
       pg_total_relation_size(c.oid) as bytes
from pg_class c
left join pg_stat_user_tables s on s.relid = c.oid
where c.relnamespace = (select oid from pg_namespace where nspname = (parse_ident('pgq.x'))[1]) and c.relkind = 'r'
order by c.relname
