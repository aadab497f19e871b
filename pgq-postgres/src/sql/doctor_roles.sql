-- What the role of this session may do; and whether it may do everything.
select current_user::text as role, (select rolsuper from pg_roles where rolname = current_user) as superuser,
       has_table_privilege('pgq.ready', 'insert') as enqueue,
       has_table_privilege('pgq.ready', 'delete') and has_table_privilege('pgq.leases', 'insert')
           and has_table_privilege('pgq.leases', 'delete') as claim,
       has_table_privilege('pgq.finished', 'delete') and has_table_privilege('pgq.audit', 'insert') as operate
