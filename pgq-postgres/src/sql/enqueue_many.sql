-- Any number of jobs, due now or later, with bodies of any size; returns their ids in order.
-- $9 absolute times, $10 delays: one of the two, or neither. $11 the size over which a body has its own row.
with job as materialized (
    select nextval('pgq.job_ids') as id, position, queue, kind, priority, version, shape, max_attempts, options,
           coalesce(at, now() + after) as run_at,
           case when octet_length(body) <= $11 then body end as payload,
           case when octet_length(body) > $11 then body end as large
    from unnest($1::text[], $2::text[], $3::smallint[], $4::smallint[], $5::integer[], $6::smallint[], $7::bytea[],
                $8::jsonb[], $9::timestamptz[], $10::interval[])
        with ordinality as j (queue, kind, priority, version, shape, max_attempts, body, options, at, after, position)
),
due as (
    insert into pgq.ready (id, queue, kind, priority, version, shape, max_attempts, payload, options, run_at)
    select id, queue, kind, priority, version, shape, max_attempts, payload, options, run_at
    from job where run_at is null or run_at <= now()
),
later as (
    insert into pgq.scheduled (id, queue, kind, priority, version, shape, max_attempts, payload, options, run_at)
    select id, queue, kind, priority, version, shape, max_attempts, payload, options, run_at
    from job where run_at > now()
),
bodies as (
    insert into pgq.payloads (job_id, body) select id, large from job where large is not null
),
woken as materialized (
    select pg_notify($12, queue) from (select distinct queue from job) q
    where exists (select from pgq.sleepers s where s.queue = q.queue and s.asleep)
)
select coalesce(array_agg(id order by position), '{}') as ids, (select count(*) from woken) as woken from job
