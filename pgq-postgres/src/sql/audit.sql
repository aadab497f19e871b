-- The last $1 changes that operators made, the latest first.
select at, role, actor, action, queue, cardinality(jobs) as jobs, detail from pgq.audit order by at desc, id desc limit $1
