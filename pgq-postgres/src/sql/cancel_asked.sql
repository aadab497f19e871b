-- Whether somebody asked before to cancel job $1, which runs.
select exists (select from pgq.leases l where l.cancelled @> array[$1::bigint])
