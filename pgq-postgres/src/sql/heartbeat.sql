-- The runner lives. No row: a rescuer took it for dead. Also says whether another runner may be dead, that is
-- silent for $2 of its intervals, how many runners share all of its work, itself among them, and which of its jobs somebody
-- cancelled. $3 what it has done, by queue.
update pgq.runners set heartbeat_at = now(), counts = $3 where id = $1
returning exists (
    select from pgq.runners r where r.heartbeat_at < now() - $2 * r.heartbeat_every and r.id <> $1
) as late,
(
    select count(*) from pgq.runners r
    where r.queues = runners.queues and r.kinds = runners.kinds and r.versions = runners.versions
      and r.heartbeat_at >= now() - $2 * r.heartbeat_every
) as alike,
array(
    select unnest(l.cancelled) from pgq.leases l where l.runner_id = $1 and l.cancelled is not null
) as cancelled
