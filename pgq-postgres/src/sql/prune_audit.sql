-- Forgets up to $2 changes that are older than $1.
with old as (
    delete from pgq.audit a where a.ctid = any(array(
        select ctid from pgq.audit where at < now() - $1::interval order by at limit $2 for update skip locked))
    returning 1
)
select count(*) from old
