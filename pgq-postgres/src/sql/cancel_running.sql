-- Marks job $1 cancelled in the lease that holds it, and tells runners to look ($2 the channel). $3 who asks for it, to
-- be noted.
with marked as (
    update pgq.leases l set cancelled = array_append(coalesce(l.cancelled, '{}'), $1)
    where l.ids @> array[$1::bigint]
      and not coalesce(l.cancelled @> array[$1::bigint], false)
      and coalesce(get_bit(l.done, array_position(l.ids, $1) - 1), 0) = 0
    returning l.id
),
noted as (
    insert into pgq.audit (actor, action, jobs) select $3, 'cancel', array[$1::bigint] from marked
)
select id, pg_notify($2, '!cancel') from marked
