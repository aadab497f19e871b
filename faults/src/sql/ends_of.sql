-- When these jobs left which leases, in microseconds, and by a session of which name; and the last heartbeat of the lease's
-- runner before that.
select j.id, e.lease, (extract(epoch from e.at) * 1000000)::bigint as at, e.session,
       (select (extract(epoch from max(b.at)) * 1000000)::bigint
        from faults.claims c join faults.beats b on b.runner = c.runner
        where c.lease = e.lease and b.at <= e.at) as beat
from faults.ends e cross join lateral unnest(e.ids) j (id)
where j.id = any($1)
