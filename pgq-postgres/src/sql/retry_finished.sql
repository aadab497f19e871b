-- Lets finished jobs $1 run again, now, with one attempt more where all are spent. A unique job needs its key: it stays
-- where another job holds that. One that died with its runners may do so once more: $2 the crashes it has spent at most.
-- $3 who asks for it, $4 what for, to be noted. $5 the channel.
-- Returns each job that was found, and whether it runs again.
with found as materialized (
    select id, decode(options->>'unique_key', 'hex') as key, options->>'held_while' as held_while, attempts
    from pgq.finished where id = any($1::bigint[]) order by id for update skip locked
),
wanted as materialized (
    select distinct on (key) key, id, held_while from found where key is not null and attempts < 32767 order by key, id
),
overdue as (
    update pgq.unique_keys k set job_id = w.id, held_while = w.held_while, expires_at = null
    from wanted w where k.key = w.key and k.expires_at <= now()
    returning k.job_id
),
-- Locks no key that is taken, unlike `do update`: the end of its job passes over what is locked, and would leave the key.
keys as (
    insert into pgq.unique_keys (key, job_id, held_while)
    select key, id, held_while from wanted where id <> all(array(select job_id from overdue))
    on conflict do nothing
    returning job_id
),
free as materialized (
    select id from found where key is null and attempts < 32767 union all select job_id from overdue
    union all select job_id from keys
),
taken as materialized (
    delete from pgq.finished where id = any(array(select id from free)) returning *
),
again as (
    insert into pgq.ready (id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, queue, kind,
                           payload, options, run_at)
    select id, enqueued_at, shape, priority, version, attempts, greatest(max_attempts, attempts + 1),
           least(crashes, $2::smallint), queue, kind, payload, options, now()
    from taken
),
noted as (
    insert into pgq.audit (actor, action, jobs, detail)
    select $3, 'retry', array_agg(id), $4::jsonb from taken having count(*) > 0
),
woken as materialized (
    select pg_notify($5, queue) from (select distinct queue from taken) q
    where exists (select from pgq.sleepers s where s.queue = q.queue and s.asleep)
)
select id, exists (select from free where free.id = found.id) as again, (select count(*) from woken) as woken from found
