-- When these jobs left which leases, in microseconds, and by a session of which name.
select j.id, e.lease, (extract(epoch from e.at) * 1000000)::bigint as at, e.session
from faults.ends e cross join lateral unnest(e.ids) j (id)
where j.id = any($1)
