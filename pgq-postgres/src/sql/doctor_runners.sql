-- The runners, without what they have in hand, which a viewer may not see.
select r.name, r.library, extract(epoch from now() - r.heartbeat_at)::float8 as silent_seconds,
       r.heartbeat_at >= now() - 15 * r.heartbeat_every as alive
from pgq.runners r
order by r.started_at desc, r.id
