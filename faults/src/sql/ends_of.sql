-- When these jobs left which leases, in microseconds, and by a session of which name; and, where that was a rescuer's, the
-- last heartbeat of the lease's runner before, and whether its session held the runner's lock.
select j.id, e.lease, (extract(epoch from e.at) * 1000000)::bigint as at, e.session,
       (extract(epoch from b.at) * 1000000)::bigint as beat, b.locked
from faults.ends e cross join lateral unnest(e.ids) j (id)
left join lateral (
    select b.at, b.locked from faults.beats b
    where e.session = 'rescue' and b.noted <= e.at
      and b.runner = (select c.runner from faults.claims c where c.lease = e.lease limit 1)
    order by b.at desc limit 1) b on true
where j.id = any($1)
