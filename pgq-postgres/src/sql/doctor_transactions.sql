-- What holds back the horizon of visibility, so that vacuum cannot remove what is dead, the oldest first: for over $1, or
-- where that is not known, as of what others say over the network, for over $2 transactions. A slot that nobody reads holds it
-- for ever. Slots that hold only the horizon of catalogs are left out: no row of ours stays for them.
select what, who, seconds, transactions from (
    select 'session' as what,
           format('process %s of %s (%s, %s)', a.pid, coalesce(a.usename, '?'),
                  coalesce(nullif(a.application_name, ''), 'no application name'), coalesce(a.state, 'no state')) as who,
           extract(epoch from now() - coalesce(a.xact_start, a.query_start, a.backend_start))::float8 as seconds,
           null::integer as transactions
    from pg_stat_activity a
    where (a.backend_xmin is not null or a.backend_xid is not null) and a.pid <> pg_backend_pid()
      and a.backend_type = 'client backend' and (a.datname is null or a.datname = current_database())
    union all
    select 'prepared transaction', format('%s of %s', p.gid, p.owner), extract(epoch from now() - p.prepared)::float8, null
    from pg_prepared_xacts p where p.database = current_database()
    union all
    select 'standby', format('%s (process %s of %s)', coalesce(nullif(r.application_name, ''), 'without a name'), r.pid,
                             coalesce(r.usename, '?')),
           null, age(r.backend_xmin)
    from pg_stat_replication r where age(r.backend_xmin) >= $2::integer
    union all
    select 'replication slot', s.slot_name, null, age(s.xmin)
    from pg_replication_slots s where s.xmin is not null and (not s.active or age(s.xmin) >= $2::integer)
) held
where seconds is null or seconds >= extract(epoch from $1::interval)
order by seconds desc nulls first limit 20
