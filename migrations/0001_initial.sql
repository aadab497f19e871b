-- pgq's tables. Can be pasted into psql; for another schema, replace the word pgq throughout.
-- A job's table is its state: a job is in exactly one of ready, leases, scheduled and finished, or gone.

create schema if not exists pgq;

create table pgq.migrations (
    version        integer primary key,
    name           text not null,
    oldest_library integer not null, -- the oldest migration a library may know and still work with this one
    applied_at     timestamptz not null default now()
);

create sequence pgq.job_ids as bigint;

-- Due and unclaimed. Rows are inserted and deleted, never updated; one index.
create table pgq.ready (
    id           bigint      not null default nextval('pgq.job_ids'),
    enqueued_at  timestamptz not null default now(),
    shape        integer     not null,
    priority     smallint    not null, -- lower runs first
    version      smallint    not null,
    attempts     smallint    not null default 0, -- spent so far
    max_attempts smallint    not null,
    crashes      smallint    not null default 0,
    queue        text collate "C" not null,
    kind         text collate "C" not null,
    payload      bytea, -- null: in pgq.payloads
    options      jsonb, -- what this job wants otherwise than its type, and its searchable fields as args
    run_at       timestamptz -- when it was due, if it ever was scheduled
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);

alter table pgq.ready alter payload set storage external;

create unique index ready_next on pgq.ready (queue, priority, id);

-- One row per claimed batch of jobs that are alike; the n-th elements of its arrays are the n-th job.
create table pgq.leases (
    id            uuid not null,
    runner_id     uuid not null,
    claimed_at    timestamptz not null default clock_timestamp(),
    done          bytea, -- bit n is set when job n is settled; null: none is
    cancelled     bigint[], -- the ids of jobs that somebody asked to cancel
    started       boolean not null default true, -- false: a job that was aboard a crash, and has not begun again
    last_id       bigint, -- of a large claim: the next one may begin behind it
    shape         integer       not null,
    priority      smallint      not null,
    version       smallint      not null,
    crashes       smallint      not null,
    queue         text collate "C" not null,
    kind          text collate "C" not null,
    ids           bigint[]      not null,
    enqueued_ats  timestamptz[] not null,
    attempts      smallint[]    not null,
    max_attempts  smallint[]    not null,
    payloads      bytea[]       not null,
    options       jsonb[]       not null,
    run_ats       timestamptz[] not null,
    -- The id first: whoever has a list of them must not walk over all that a runner ever had, which an old snapshot keeps.
    primary key (id, runner_id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0,
        toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 5000,
        toast.autovacuum_vacuum_cost_delay = 0);

-- A lease lives for milliseconds: compressing it costs more than writing it.
alter table pgq.leases
    alter ids set storage external, alter enqueued_ats set storage external, alter attempts set storage external,
    alter max_attempts set storage external, alter payloads set storage external, alter options set storage external,
    alter run_ats set storage external;

create index leases_cancelled on pgq.leases (runner_id) where cancelled is not null;
create index leases_reached on pgq.leases (queue, claimed_at) where last_id is not null;

-- The unsettled jobs of one lease, one row each. A function of the row, so that a statement that has locked the
-- row sees what it locked and not what was there when the statement began.
-- A counter at its limit counts no further: one more would be refused, and the job could never be moved again.
create function pgq.jobs_of(lease pgq.leases)
returns table (lease_id uuid, runner_id uuid, started boolean, "position" integer, id bigint, enqueued_at timestamptz,
               shape integer, priority smallint, version smallint, attempts smallint, max_attempts smallint,
               crashes smallint, queue text, kind text, payload bytea, options jsonb, run_at timestamptz)
language sql stable as $$
    select lease.id, lease.runner_id, lease.started, (j.position - 1)::integer, j.id, j.enqueued_at,
           lease.shape, lease.priority, lease.version, least(j.attempts, 32766::smallint), j.max_attempts,
           least(lease.crashes, 32766::smallint), lease.queue, lease.kind, j.payload, j.options, j.run_at
    from unnest(lease.ids, lease.enqueued_ats, lease.attempts, lease.max_attempts, lease.payloads, lease.options,
                lease.run_ats)
        with ordinality as j (id, enqueued_at, attempts, max_attempts, payload, options, run_at, position)
    where coalesce(get_bit(lease.done, (j.position - 1)::integer), 0) <> 1 -- most are not, which the planner takes from <>
$$;

-- The unsettled jobs of all leases.
create view pgq.leased as
select j.* from pgq.leases l cross join lateral pgq.jobs_of(l) j;

-- For later: delayed, retried, snoozed. At infinity: parked, since its payload cannot be read by the programs that run.
create table pgq.scheduled (
    id           bigint primary key default nextval('pgq.job_ids'),
    enqueued_at  timestamptz not null default now(),
    shape        integer     not null,
    priority     smallint    not null,
    version      smallint    not null,
    attempts     smallint    not null default 0,
    max_attempts smallint    not null,
    crashes      smallint    not null default 0,
    queue        text collate "C" not null,
    kind         text collate "C" not null,
    payload      bytea,
    options      jsonb,
    run_at       timestamptz not null
);

create index scheduled_due on pgq.scheduled (run_at);
create index scheduled_lanes on pgq.scheduled (queue, kind, id); -- people look for jobs of a queue or kind among millions
create index scheduled_args on pgq.scheduled using gin ((options->'args')) where (options->'args') is not null;

-- Discarded and cancelled always, completed if the runner was asked to keep them. Pruned by age.
create table pgq.finished (
    id           bigint primary key,
    enqueued_at  timestamptz not null,
    finished_at  timestamptz not null default now(),
    shape        integer     not null,
    priority     smallint    not null,
    version      smallint    not null,
    attempts     smallint    not null,
    max_attempts smallint    not null,
    crashes      smallint    not null,
    state        text        not null check (state in ('completed', 'discarded', 'cancelled')),
    queue        text collate "C" not null,
    kind         text collate "C" not null,
    payload      bytea,
    options      jsonb,
    run_at       timestamptz,
    reason       text -- why it was discarded or cancelled
);

create index finished_by_age on pgq.finished (state, finished_at);
create index finished_lanes on pgq.finished (state, queue, kind, id);
create index finished_args on pgq.finished using gin ((options->'args')) where (options->'args') is not null;

-- Bodies too large to be copied into a lease.
create table pgq.payloads (
    job_id bigint primary key,
    body   bytea not null
);

alter table pgq.payloads alter body set storage external;

-- One row per failed attempt, for as long as the job is there.
create table pgq.failures (
    job_id  bigint      not null,
    attempt smallint    not null,
    at      timestamptz not null default now(),
    crash   boolean     not null default false, -- the runner died; the handler may not have failed
    runner  text        not null,
    error   text        not null
);

create index failures_by_job on pgq.failures (job_id, at);
create index failures_by_age on pgq.failures (at);

-- One row per running process.
create table pgq.runners (
    id           uuid primary key,
    name         text        not null, -- host and process, for people
    started_at   timestamptz not null default now(),
    heartbeat_at timestamptz not null default now(),
    heartbeat_every interval not null, -- what it promises; others judge it by this
    lock_key     bigint, -- the advisory lock its heartbeat connection holds; null: it holds none
    library      text        not null,
    slots        integer     not null,
    queues       text[]      not null,
    kinds        text[]      not null,
    versions     smallint[]  not null, -- the newest payload it reads of each kind
    counts       jsonb -- by queue, what it has done since it started and in the last minute; written with the heartbeat
) with (fillfactor = 50);

-- A row only for queues that are or were paused, slow or limited.
create table pgq.queues (
    name       text collate "C" primary key,
    paused_at  timestamptz,
    slow_until timestamptz,
    slow_ms    integer not null default 0, -- the last pause that a handler asked for; 0: none since the last success
    max_running integer check (max_running > 0) -- so many jobs at a time in each runner; null: as the runner was set
) with (fillfactor = 50);

-- Which runners sleep on which queue. An enqueue notifies only where one does.
create unlogged table pgq.sleepers (
    queue     text collate "C" not null,
    runner_id uuid    not null,
    asleep    boolean not null,
    primary key (queue, runner_id)
) with (fillfactor = 50);

-- Which job holds the key of a unique job. The row goes when the job ends, or with the first claim.
create table pgq.unique_keys (
    key        bytea primary key,
    job_id     bigint not null,
    held_while text   not null check (held_while in ('queued', 'unfinished')),
    expires_at timestamptz -- from then on another job may take the key
);

create index unique_keys_by_job on pgq.unique_keys (job_id);

-- Takes a job that waits out of its table; no row if it runs, has ended or never was. The ready table has no index on
-- ids: one look per queue and priority finds it.
create function pgq.take_waiting(job bigint)
returns setof pgq.scheduled
language sql as $$
    with recursive lanes as (
        (select queue, priority from pgq.ready order by queue, priority limit 1)
        union all
        select next.queue, next.priority
        from lanes l cross join lateral (
            select r.queue, r.priority from pgq.ready r
            where (r.queue, r.priority) > (l.queue, l.priority)
            order by r.queue, r.priority limit 1) next
    ),
    ready as (
        delete from pgq.ready r where r.ctid = any(array(
            select f.ctid from lanes l cross join lateral (
                select r.ctid from pgq.ready r
                where r.queue = l.queue and r.priority = l.priority and r.id = job for update) f))
        returning r.*
    ),
    scheduled as (
        delete from pgq.scheduled where id = job returning *
    )
    select id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, queue, kind, payload, options,
           run_at from ready
    union all
    select id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, queue, kind, payload, options,
           run_at from scheduled
$$;

-- Puts a job where it waits, and its body, if that has a row of its own, beside it.
create function pgq.put_waiting(job pgq.scheduled, large bytea)
returns void
language plpgsql as $$
begin
    if job.run_at > now() then
        insert into pgq.scheduled select job.*;
    else
        insert into pgq.ready (id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, queue, kind,
                               payload, options, run_at)
        values (job.id, job.enqueued_at, job.shape, job.priority, job.version, job.attempts, job.max_attempts,
                job.crashes, job.queue, job.kind, job.payload, job.options, job.run_at);
    end if;
    if large is not null then
        insert into pgq.payloads (job_id, body) values (job.id, large);
    end if;
end
$$;

-- Enqueues a job unless another one holds its key, and says which: new, existing, replaced or moved.
-- A function, since each of its statements must see what was committed while the one before waited. A row of
-- unique_keys is locked only by the job that takes it: whoever finds it taken holds nobody up.
create function pgq.enqueue_unique(job pgq.scheduled, large bytea, the_key bytea, held_while text, period interval,
                                   on_conflict text)
returns table (id bigint, outcome text)
rows 1 -- else each call is planned anew for its one job, which takes longer than the call
language plpgsql as $$
declare
    expires timestamptz := clock_timestamp() + period;
    holder  pgq.unique_keys;
    waiting pgq.scheduled;
    mine    boolean;
begin
    for look in 1..100 loop
        insert into pgq.unique_keys as u (key, job_id, held_while, expires_at)
        values (the_key, job.id, enqueue_unique.held_while, expires)
        on conflict do nothing;
        mine := found;
        if not mine then
            select u.* into holder from pgq.unique_keys u where u.key = the_key;
            if not found then
                continue; -- it was given back between the two looks
            end if;
            if holder.expires_at <= clock_timestamp() then
                update pgq.unique_keys u
                set job_id = job.id, held_while = enqueue_unique.held_while, expires_at = expires
                where u.key = the_key and u.job_id = holder.job_id and u.expires_at = holder.expires_at;
                mine := found;
                if not mine then
                    continue; -- somebody else took it
                end if;
            end if;
        end if;
        if mine then
            perform pgq.put_waiting(job, large);
            return query select job.id, 'new';
            return;
        end if;
        if on_conflict in ('replace', 'debounce') then
            select w.* into waiting from pgq.take_waiting(holder.job_id) w;
            if found then
                if on_conflict = 'replace' then
                    waiting.payload := job.payload;
                    waiting.version := job.version;
                    waiting.shape := job.shape;
                    waiting.options := job.options;
                    delete from pgq.payloads p where p.job_id = waiting.id;
                    perform pgq.put_waiting(waiting, large);
                    return query select waiting.id, 'replaced';
                else
                    waiting.run_at := coalesce(job.run_at, now());
                    perform pgq.put_waiting(waiting, null);
                    return query select waiting.id, 'moved';
                end if;
                return;
            end if;
        end if;
        return query select holder.job_id, 'existing';
        return;
    end loop;
    raise exception 'the holder of a unique key changed at every look' using errcode = 'serialization_failure';
end
$$;

-- What a large claim locks, with `for update skip locked`: as small ones, whose statement has its own text for that, up to
-- `slots` jobs of each queue, `most` of all queues together, of these kinds, and no payloads newer than `versions`. It looks
-- at stretches of the queues' order: of the queue with that number, from a place, which is a priority and an id, `until`
-- before a priority.
-- Two such claims are under way at a time, since each walks over what the others have locked: the third waits for its
-- turn, or is only to `try` and gets nothing. They begin where the latest of them has ended, of whatever runner that knows
-- the same kinds, and pass over rows that bear the mark of a transaction, which costs a part of trying to lock them. Marks
-- of what was rolled back stay: small claims, which begin at their floor, look at those rows, too. A function, since a
-- statement would go by what it saw before it waited. What was committed since the statement began is left alone, or it
-- would be marked and then not be claimed: the statement cannot see it. `seen` is what it sees.
create function pgq.lock_next(turn text, seen pg_snapshot, queues text[], slots integer[], numbers integer[],
                              priorities smallint[], ids bigint[], untils integer[], most integer, kinds text[],
                              versions smallint[])
returns tid[]
language plpgsql as $$
declare
    turns  constant integer := ('pgq.ready'::regclass::oid::bigint % 2147483647)::integer;
    oldest constant integer := age(pg_snapshot_xmin(seen)::xid);
    -- Transaction and age of what is newest, by which a row's transaction is told from its age.
    newest constant bigint := pg_snapshot_xmax(seen)::text::bigint + age(pg_snapshot_xmax(seen)::xid);
begin
    if not pg_try_advisory_xact_lock(turns, 0) and not pg_try_advisory_xact_lock(turns, 1) then
        if turn = 'try' then
            return '{}';
        end if;
        perform pg_advisory_xact_lock(turns, (random() < 0.5)::integer);
    end if;
    return array(
    with want as materialized (
        select w.number, w.queue, w.slots
        from unnest(lock_next.queues, lock_next.slots) with ordinality as w (queue, slots, number)
        left join pgq.queues q on q.name = w.queue collate "C"
        where q.name is null or (q.paused_at is null and (q.slow_until is null or q.slow_until <= now()))
    ),
    stretch as materialized (
        select s.number, s.priority, coalesce(l.last_id, s.id) as id, s.until
        from unnest(numbers, priorities, ids, untils) with ordinality as s (number, priority, id, until, position)
        left join lateral (
            select l.last_id from pgq.leases l
            join pgq.runners r on r.id = l.runner_id and r.kinds = lock_next.kinds and r.versions = lock_next.versions
            where l.queue = lock_next.queues[s.number] collate "C" and l.priority = s.priority
              and l.last_id is not null and l.claimed_at > clock_timestamp() - interval '100 ms'
            order by l.queue desc, l.claimed_at desc limit 1) l on true
        order by s.position
    )
    select c.ctid from want w cross join lateral (
        select f.ctid from stretch s cross join lateral (
            select r.ctid from pgq.ready r
            where r.queue = w.queue and (r.priority, r.id) >= (s.priority, s.id) and r.priority < s.until
              and r.xmax = 0
              and (age(r.xmin) > oldest or pg_visible_in_snapshot((newest - age(r.xmin))::text::xid8, seen))
              and r.kind = any(kinds) and (r.version = 1 or r.version <= versions[array_position(kinds, r.kind)])
            order by r.queue, r.priority, r.id limit w.slots for update skip locked) f
        where s.number = w.number
        limit w.slots) c
    limit most);
end
$$;

-- Takes those of these jobs out of their tables that wait and that nobody has locked; with the queue and priority they
-- were seen with, by which the ready table finds them.
create function pgq.take_waiting_at(jobs bigint[], queues text[], priorities smallint[])
returns setof pgq.scheduled
language sql as $$
    with ready as (
        delete from pgq.ready r where r.ctid = any(array(
            select f.ctid from unnest(jobs, queues, priorities) as w (id, queue, priority)
            cross join lateral (
                select r.ctid from pgq.ready r
                where r.queue = w.queue collate "C" and r.priority = w.priority and r.id = w.id
                for update skip locked) f))
        returning r.*
    ),
    scheduled as (
        delete from pgq.scheduled s where s.ctid = any(array(
            select ctid from pgq.scheduled where id = any(jobs) for update skip locked))
        returning s.*
    )
    select id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, queue, kind, payload, options,
           run_at from ready
    union all
    select id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, queue, kind, payload, options,
           run_at from scheduled
$$;

-- What operators did. A change of many jobs has a row for each batch.
create table pgq.audit (
    id     bigint generated always as identity primary key,
    at     timestamptz not null default now(),
    role   text        not null default session_user,
    actor  text, -- who, by the word of the program
    action text        not null,
    queue  text,
    jobs   bigint[]    not null default '{}',
    detail jsonb
);

create index audit_by_age on pgq.audit (at);
create index audit_by_job on pgq.audit using gin (jobs);

-- One row per schedule. Its job is stored as it will be enqueued; cron is read by runners, which compute next_at.
create table pgq.schedules (
    name          text collate "C" primary key,
    cron          text        not null,
    timezone      text        not null,
    missed        text        not null check (missed in ('skip', 'once', 'all')),
    missed_most   smallint    not null, -- how many ticks 'all' makes up for
    overlap       text        not null check (overlap in ('allow', 'skip', 'replace')),
    jitter        interval    not null,
    kind          text collate "C" not null,
    queue         text collate "C" not null,
    priority      smallint    not null,
    version       smallint    not null,
    shape         integer     not null,
    max_attempts  smallint    not null,
    payload       bytea       not null,
    options       jsonb,
    unique_key    bytea, -- null: its jobs are not unique
    held_while    text,
    unique_period interval,
    on_conflict   text,
    declared      bytea, -- a hash of what a program declared last; null: made by a person
    revision      integer     not null default 1, -- rises with every change: a tick computed before counts no more
    created_at    timestamptz not null default now(),
    paused_at     timestamptz,
    last_at       timestamptz, -- the last tick that was fired
    last_job      bigint,
    next_at       timestamptz -- null while paused
);

create index schedules_next on pgq.schedules (next_at);

-- Which ticks were fired. The primary key is what makes a tick fire once. Pruned by age, also of schedules that are gone.
create table pgq.schedule_ticks (
    schedule text collate "C" not null,
    tick_at  timestamptz not null,
    fired_at timestamptz not null default now(),
    job_id   bigint, -- the job that was there then; null: none, since the one before was unfinished
    primary key (schedule, tick_at)
);

create index schedule_ticks_by_age on pgq.schedule_ticks (fired_at);

-- Whether a job waits, runs or will be retried. What is parked does not count: nothing may ever end it.
-- One statement, so that a job on its way from one table to the next is in one of them.
create function pgq.is_unfinished(job bigint)
returns boolean
language sql stable as $$
    with recursive lanes as (
        (select queue, priority from pgq.ready order by queue, priority limit 1)
        union all
        select next.queue, next.priority
        from lanes l cross join lateral (
            select r.queue, r.priority from pgq.ready r
            where (r.queue, r.priority) > (l.queue, l.priority)
            order by r.queue, r.priority limit 1) next
    )
    select exists (select from pgq.scheduled s where s.id = job and s.run_at < 'infinity')
        or exists (select from lanes l cross join lateral (
                       select r.id from pgq.ready r
                       where r.queue = l.queue and r.priority = l.priority and r.id = job limit 1) f)
        or exists (select from pgq.leases l
                   where l.ids @> array[job] and coalesce(get_bit(l.done, array_position(l.ids, job) - 1), 0) = 0)
$$;

-- Cancels the job of an earlier tick. A function, since it must look again where the job has moved meanwhile.
create function pgq.replace_job(job bigint, wake_channel text)
returns void
language plpgsql as $$
declare
    waiting pgq.scheduled;
begin
    for look in 1..100 loop
        select w.* into waiting from pgq.take_waiting(job) w;
        if found then
            delete from pgq.unique_keys k where k.job_id = job;
            insert into pgq.finished (id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, state,
                                      queue, kind, payload, options, run_at, reason)
            values (waiting.id, waiting.enqueued_at, waiting.shape, waiting.priority, waiting.version, waiting.attempts,
                    waiting.max_attempts, waiting.crashes, 'cancelled', waiting.queue, waiting.kind, waiting.payload,
                    waiting.options, waiting.run_at, 'replaced by the next tick of its schedule');
            return;
        end if;
        update pgq.leases l set cancelled = array_append(coalesce(l.cancelled, '{}'), job)
        where l.ids @> array[job]
          and not coalesce(l.cancelled @> array[job], false)
          and coalesce(get_bit(l.done, array_position(l.ids, job) - 1), 0) = 0;
        if found then
            perform pg_notify(wake_channel, '!cancel');
            return;
        end if;
        exit when not pgq.is_unfinished(job);
        exit when exists (select from pgq.leases l where l.cancelled @> array[job]);
    end loop;
end
$$;

-- Fires the ticks of a schedule, in order, if that is still what it waits for, and sets its next one. Returns how many
-- new jobs there are of them; null if somebody else fired, or fires just now. All of it is one statement of its runner's: a
-- runner that is stopped or killed at any moment holds no lock. It waits a second for those of others, as on the key of a
-- unique job that somebody is about to enqueue.
create function pgq.fire_schedule(the_name text, the_revision integer, expected timestamptz, ticks timestamptz[],
                                  following timestamptz, inline_bytes integer, wake_channel text)
returns integer
language plpgsql set lock_timeout = '1s' as $$
declare
    s     pgq.schedules;
    job   pgq.scheduled;
    large bytea;
    tick  timestamptz;
    jobs  integer := 0;
    made  integer := 0;
begin
    select c.* into s from pgq.schedules c
    where c.name = the_name and c.revision = the_revision and c.next_at = expected and c.next_at <= now()
    for update skip locked;
    if not found then
        return null;
    end if;
    foreach tick in array ticks loop
        insert into pgq.schedule_ticks (schedule, tick_at) values (s.name, tick) on conflict do nothing;
        continue when not found;
        s.last_at := tick;
        if s.overlap <> 'allow' and pgq.is_unfinished(s.last_job) then
            continue when s.overlap = 'skip';
            perform pgq.replace_job(s.last_job, wake_channel);
        end if;
        large := case when octet_length(s.payload) > inline_bytes then s.payload end;
        job := row(nextval('pgq.job_ids'), now(), s.shape, s.priority, s.version, 0, s.max_attempts, 0, s.queue, s.kind,
                   case when large is null then s.payload end, s.options, tick + random() * s.jitter)::pgq.scheduled;
        if s.unique_key is null then
            perform pgq.put_waiting(job, large);
            s.last_job := job.id;
            made := made + 1;
        else
            select e.id, made + (e.outcome = 'new')::integer into s.last_job, made
            from pgq.enqueue_unique(job, large, s.unique_key, s.held_while, s.unique_period, s.on_conflict) e;
        end if;
        update pgq.schedule_ticks t set job_id = s.last_job where t.schedule = s.name and t.tick_at = tick;
        jobs := jobs + 1;
    end loop;
    update pgq.schedules c set last_at = s.last_at, last_job = s.last_job, next_at = following where c.name = s.name;
    if jobs > 0 and exists (select from pgq.sleepers z where z.queue = s.queue and z.asleep) then
        perform pg_notify(wake_channel, s.queue);
    end if;
    return made;
end
$$;

-- Every job there is, for people and tools.
create view pgq.jobs as
select id, 'ready' as state, queue, kind, priority, attempts, max_attempts, crashes, enqueued_at, run_at,
       null::timestamptz as finished_at, null::uuid as runner_id, null::text as reason,
       version, shape, payload, options, options->'args' as args
from pgq.ready
union all
select id, 'running', queue, kind, priority, attempts, max_attempts, crashes, enqueued_at, run_at,
       null, runner_id, null, version, shape, payload, options, options->'args'
from pgq.leased
union all
select id, case when run_at = 'infinity' then 'parked' else 'scheduled' end, queue, kind, priority, attempts, max_attempts, crashes, enqueued_at, run_at,
       null, null, null, version, shape, payload, options, options->'args'
from pgq.scheduled
union all
select id, state, queue, kind, priority, attempts, max_attempts, crashes, enqueued_at, run_at,
       finished_at, null, reason, version, shape, payload, options, options->'args'
from pgq.finished;

insert into pgq.migrations (version, name, oldest_library) values (1, 'initial', 1);
