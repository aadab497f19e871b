-- Forgets up to $2 ticks that were fired longer than $1 ago.
with old as (
    delete from pgq.schedule_ticks t where t.ctid = any(array(
        select ctid from pgq.schedule_ticks where fired_at < now() - $1::interval
        order by fired_at limit $2 for update skip locked))
    returning tick_at
)
select count(*) from old
