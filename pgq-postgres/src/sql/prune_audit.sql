-- Forgets up to $2 changes that are older than $1, and notes it: $3 who asks for it. $4 whatever is from then or later stays,
-- if it is given: what earlier batches noted. Returns how many, and the end of what this batch looked at.
with old as (
    delete from pgq.audit a where a.ctid = any(array(
        select ctid from pgq.audit where at < least(now() - $1::interval, $4)
        order by at limit $2 for update skip locked))
    returning 1
),
noted as (
    insert into pgq.audit (actor, action, detail)
    select $3, 'prune_audit', jsonb_build_object('age', $1::interval, 'changes', count(*))
    from old having count(*) > 0
)
select count(*), least(now() - $1::interval, $4) from old
