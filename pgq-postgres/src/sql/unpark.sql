-- Lets go up to $3 parked jobs of kinds $1, of payload versions up to $2, that were parked before runner $4
-- started: they run without being enqueued again. What was wrong with them is forgotten; if it still is, they are parked again.
with freed as (
    delete from pgq.scheduled s where s.ctid = any(array(
        select p.ctid from pgq.scheduled p
        join unnest($1::text[], $2::smallint[]) as k (kind, version)
            on p.kind = k.kind collate "C" and p.version <= k.version
        where p.run_at = 'infinity'
          and not exists (select from pgq.failures f
                          where f.job_id = p.id and f.attempt = p.attempts + 1 and f.at >= (select r.started_at from pgq.runners r where r.id = $4))
        limit $3 for update of p skip locked))
    returning s.*
),
ready as (
    insert into pgq.ready (id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, queue, kind,
                           payload, options)
    select id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, queue, kind, payload, options
    from freed
),
history as (
    delete from pgq.failures f using freed j
    where f.job_id = any(array(select id from freed)) and j.id = f.job_id and f.attempt = j.attempts + 1
)
select count(*) from freed
