-- When these jobs left which leases, in microseconds, and by a session of which name; and, where that was a rescuer's, the
-- last heartbeat of the lease's runner before.
select j.id, e.lease, (extract(epoch from e.at) * 1000000)::bigint as at, e.session,
       case when e.session = 'pgq maintain' then (
           select (extract(epoch from b.at) * 1000000)::bigint from faults.beats b
           where b.runner = (select c.runner from faults.claims c where c.lease = e.lease limit 1) and b.noted <= e.at
           order by b.at desc limit 1) end as beat
from faults.ends e cross join lateral unnest(e.ids) j (id)
where j.id = any($1)
