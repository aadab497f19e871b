-- Which leases held these jobs, since when in microseconds, and the name of their runner.
select j.id, c.lease, (extract(epoch from c.at) * 1000000)::bigint as at,
       coalesce((select r.name from faults.runners r where r.id = c.runner limit 1), '') as runner
from faults.claims c cross join lateral unnest(c.ids) j (id)
where j.id = any($1)
