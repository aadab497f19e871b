-- What operators did to job $1, in order.
select at, role, actor, action, queue, cardinality(jobs) as jobs, detail
from pgq.audit where jobs @> array[$1::bigint] order by at, id limit 100
