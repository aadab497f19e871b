-- Marks those of jobs $1 that run cancelled in their leases, and tells runners to look ($2 the channel).
-- $3 who asks for it, $4 what for, to be noted. Returns the ids of those that are marked now.
with marked as (
    update pgq.leases l
    set cancelled = coalesce(l.cancelled, '{}') || array(
        select u.id from unnest(l.ids) with ordinality u (id, n)
        where u.id = any($1) and not coalesce(u.id = any(l.cancelled), false)
          and coalesce(get_bit(l.done, (u.n - 1)::integer), 0) = 0)
    where l.ids && $1::bigint[]
    returning l.cancelled
),
jobs as materialized (
    select distinct c.id from marked m cross join lateral unnest(m.cancelled) as c (id) where c.id = any($1)
),
noted as (
    insert into pgq.audit (actor, action, jobs, detail)
    select $3, 'cancel', array_agg(id), $4::jsonb from jobs having count(*) > 0
)
select id, pg_notify($2, '!cancel') from jobs
