-- Promotes up to $7 due jobs, whoever's they are. If runner $8 is idle ($9), marks it asleep on its queues.
-- Says how many were promoted, whether one of $1 has something in its stretches ($2-$5) of a known kind and
-- version ($6, $11), in how many milliseconds the next scheduled job is due or one of $1 ends its pause, and how many jobs of
-- which of $1 may run at a time.
with due as (
    delete from pgq.scheduled s where s.ctid = any(array(
        select ctid from pgq.scheduled where run_at <= now() order by run_at limit $7 for update skip locked))
    returning s.*
),
promoted as (
    insert into pgq.ready (id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, queue, kind,
                           payload, options, run_at)
    select id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, queue, kind,
           payload, options, run_at
    from due
    returning queue
),
asleep as (
    insert into pgq.sleepers as s (queue, runner_id, asleep)
    select unnest($1::text[]), $8::uuid, true where $9::boolean
    on conflict (queue, runner_id) do update set asleep = true where not s.asleep
),
woken as materialized (
    select pg_notify($10, queue) from (select distinct queue from promoted) q
    where exists (select from pgq.sleepers s where s.queue = q.queue and s.asleep and s.runner_id <> $8)
),
want as materialized (
    select w.*, q.paused_at, q.slow_until, q.max_running
    from unnest($1::text[]) with ordinality as w (queue, number)
    left join pgq.queues q on q.name = w.queue collate "C"
)
select (select count(*) from promoted) as promoted,
       (select count(*) from woken) as woken,
       exists (
           select from want w
           join unnest($2::integer[], $3::smallint[], $4::bigint[], $5::integer[]) as s (number, priority, id, until)
               on s.number = w.number
           cross join lateral (
               select from pgq.ready r
               where r.queue = w.queue and (r.priority, r.id) >= (s.priority, s.id) and r.priority < s.until
                 and r.kind = any($6)
                 and (r.version = 1 or r.version <= ($11::smallint[])[array_position($6::text[], r.kind)])
               order by r.queue, r.priority, r.id limit 1) c
           where w.paused_at is null and (w.slow_until is null or w.slow_until <= now())
       ) as claimable,
       (select extract(epoch from min(at) - now())::float8 * 1000 from (
           (select run_at as at from pgq.scheduled where run_at > now() and run_at < 'infinity' order by run_at limit 1)
           union all
           (select slow_until from want where paused_at is null and slow_until > now())) d
       ) as due_in_ms,
       array(select queue from want where max_running is not null order by queue) as limited,
       array(select max_running from want where max_running is not null order by queue) as limits
