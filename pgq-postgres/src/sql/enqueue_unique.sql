-- Unique jobs: which job is there for each now, in order, and whether it is the one that was asked for.
-- $1-$10 as in enqueue_many.sql; $11 keys, $12-$14 how long each is held and what to do if it is taken. $15 the size over
-- which a body has its own row, $16 the channel.
-- In the order of their keys, so that two that enqueue many at a time do not wait for each other crosswise.
with asked as materialized (
    select nextval('pgq.job_ids') as id, j.*, coalesce(at, now() + after) as run_at
    from unnest($1::text[], $2::text[], $3::smallint[], $4::smallint[], $5::integer[], $6::smallint[], $7::bytea[],
                $8::jsonb[], $9::timestamptz[], $10::interval[], $11::bytea[], $12::text[], $13::interval[], $14::text[])
        with ordinality as j (queue, kind, priority, version, shape, max_attempts, body, options, at, after,
                              key, held_while, period, on_conflict, position)
    order by key
),
answered as materialized (
    select a.position, a.queue, e.id, e.outcome
    from asked a cross join lateral pgq.enqueue_unique(
        row(a.id, now(), a.shape, a.priority, a.version, 0, a.max_attempts, 0, a.queue, a.kind,
            case when octet_length(a.body) <= $15 then a.body end, a.options, a.run_at)::pgq.scheduled,
        case when octet_length(a.body) > $15 then a.body end, a.key, a.held_while, a.period, a.on_conflict) e
),
woken as materialized (
    select pg_notify($16, queue) from (select distinct queue from answered where outcome <> 'existing') q
    where exists (select from pgq.sleepers s where s.queue = q.queue and s.asleep)
)
select array_agg(id order by position) as ids, array_agg(outcome order by position) as outcomes,
       (select count(*) from woken) as woken
from answered
