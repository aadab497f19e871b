-- What the role of this session may do and see; and whether it may do everything.
select quote_ident(current_user) as role,
       coalesce((select rolsuper from pg_roles where rolname = current_user), false) as superuser,
       pg_has_role('pg_read_all_stats', 'usage') as sees_sessions,
       has_table_privilege('pgq.ready', 'insert') as enqueue,
       has_table_privilege('pgq.ready', 'delete') and has_table_privilege('pgq.leases', 'insert')
           and has_table_privilege('pgq.leases', 'delete') as claim,
       has_table_privilege('pgq.finished', 'delete') and has_table_privilege('pgq.audit', 'insert') as operate
