-- What holds back the horizon of visibility, so that vacuum cannot remove what is dead: for over $1, the oldest first.
select what, who, since, seconds from (
    select 'session' as what,
           format('process %s of %s (%s, %s)', a.pid, coalesce(a.usename, '?'),
                  coalesce(nullif(a.application_name, ''), 'no application name'), coalesce(a.state, 'no state')) as who,
           coalesce(a.xact_start, a.query_start, a.backend_start) as since,
           extract(epoch from now() - coalesce(a.xact_start, a.query_start, a.backend_start))::float8 as seconds
    from pg_stat_activity a
    where (a.backend_xmin is not null or a.backend_xid is not null) and a.pid <> pg_backend_pid()
      and a.backend_type = 'client backend' and (a.datname is null or a.datname = current_database())
    union all
    select 'prepared transaction', format('%s of %s', p.gid, p.owner), p.prepared,
           extract(epoch from now() - p.prepared)::float8
    from pg_prepared_xacts p where p.database = current_database()
    union all
    select 'replication slot', s.slot_name, null, null
    from pg_replication_slots s where (s.xmin is not null or s.catalog_xmin is not null) and not s.active
) held
where seconds is null or seconds >= extract(epoch from $1::interval)
order by seconds desc nulls first limit 20
