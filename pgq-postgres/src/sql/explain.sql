-- What decides whether a job that waits in queue $1, of kind $2, version $3, priority $4 and id $5, will be claimed.
-- $6 how far to count what stands before it.
with alive as materialized (
    select * from pgq.runners where heartbeat_at >= now() - 15 * heartbeat_every
),
serving as materialized (
    select * from alive where $1::text = any(queues)
)
select now() as now,
       (select count(*) from alive) as runners,
       (select count(*) from serving) as serving,
       (select count(*) from serving where $2::text = any(kinds)) as know_kind,
       (select count(*) from serving where $3::smallint <= versions[array_position(kinds, $2)]) as know_version,
       (select count(*) from alive where $2 = any(kinds)) as know_kind_elsewhere,
       (select coalesce(sum(slots), 0)::bigint from serving where $2 = any(kinds)) as slots,
       (select count(*) from pgq.leased j join serving s on s.id = j.runner_id) as in_hand,
       (select count(*) from pgq.leased j where j.queue = $1) as running_here,
       (select count(*) from (
            select from pgq.ready r where r.queue = $1 collate "C" and (r.priority, r.id) < ($4::smallint, $5::bigint)
            limit $6) c) as ahead,
       (select q.paused_at from pgq.queues q where q.name = $1 collate "C") as paused_at,
       (select q.slow_until from pgq.queues q where q.name = $1 collate "C" and q.slow_until > now()) as slow_until,
       (select q.max_running from pgq.queues q where q.name = $1 collate "C") as max_running
