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
    options      jsonb, -- what this job wants otherwise than its type
    run_at       timestamptz -- when it was due, if it ever was scheduled
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);

alter table pgq.ready alter payload set storage external;

create unique index ready_next on pgq.ready (queue, priority, id);

-- One row per claimed batch; the n-th elements of its arrays are the n-th job.
create table pgq.leases (
    id            uuid not null,
    runner_id     uuid not null,
    claimed_at    timestamptz not null default now(),
    done          bytea, -- bit n is set when job n is settled; null: none is
    cancelled     bigint[], -- the ids of jobs that somebody asked to cancel
    started       boolean not null default true, -- false: a job that was aboard a crash, and has not begun again
    ids           bigint[]      not null,
    enqueued_ats  timestamptz[] not null,
    shapes        integer[]     not null,
    priorities    smallint[]    not null,
    versions      smallint[]    not null,
    attempts      smallint[]    not null,
    max_attempts  smallint[]    not null,
    crashes       smallint[]    not null,
    queues        text[] collate "C" not null,
    kinds         text[] collate "C" not null,
    payloads      bytea[]       not null,
    options       jsonb[]       not null,
    run_ats       timestamptz[] not null,
    primary key (runner_id, id)
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0,
        toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 5000,
        toast.autovacuum_vacuum_cost_delay = 0);

-- A lease lives for milliseconds: compressing it costs more than writing it.
alter table pgq.leases
    alter ids set storage external, alter enqueued_ats set storage external, alter shapes set storage external,
    alter priorities set storage external, alter versions set storage external,
    alter attempts set storage external, alter max_attempts set storage external,
    alter crashes set storage external, alter queues set storage external, alter kinds set storage external,
    alter payloads set storage external, alter options set storage external, alter run_ats set storage external;

-- The unsettled jobs of one lease, one row each. A function of the row, so that a statement that has locked the
-- row sees what it locked and not what was there when the statement began.
create function pgq.jobs_of(lease pgq.leases)
returns table (lease_id uuid, runner_id uuid, started boolean, "position" integer, id bigint, enqueued_at timestamptz,
               shape integer, priority smallint, version smallint, attempts smallint, max_attempts smallint,
               crashes smallint, queue text, kind text, payload bytea, options jsonb, run_at timestamptz)
language sql stable as $$
    select lease.id, lease.runner_id, lease.started, (j.position - 1)::integer, j.id, j.enqueued_at,
           j.shape, j.priority, j.version, j.attempts, j.max_attempts,
           j.crashes, j.queue, j.kind, j.payload, j.options, j.run_at
    from unnest(lease.ids, lease.enqueued_ats, lease.shapes, lease.priorities, lease.versions, lease.attempts,
                lease.max_attempts, lease.crashes, lease.queues, lease.kinds, lease.payloads, lease.options,
                lease.run_ats)
        with ordinality as j (id, enqueued_at, shape, priority, version, attempts, max_attempts,
                              crashes, queue, kind, payload, options, run_at, position)
    where coalesce(get_bit(lease.done, (j.position - 1)::integer), 0) = 0
$$;

-- The unsettled jobs of all leases.
create view pgq.leased as
select j.* from pgq.leases l cross join lateral pgq.jobs_of(l) j;

-- For later: delayed, retried, snoozed.
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
    versions     smallint[]  not null -- the newest payload it reads of each kind
) with (fillfactor = 50);

-- A row only for queues that are or were paused or slow.
create table pgq.queues (
    name       text collate "C" primary key,
    paused_at  timestamptz,
    slow_until timestamptz,
    slow_ms    integer not null default 0 -- the last pause that a handler asked for; 0: none since the last success
) with (fillfactor = 50);

-- Which runners sleep on which queue. An enqueue notifies only where one does.
create unlogged table pgq.sleepers (
    queue     text collate "C" not null,
    runner_id uuid    not null,
    asleep    boolean not null,
    primary key (queue, runner_id)
) with (fillfactor = 50);

create table pgq.unique_keys (
    key        bytea primary key,
    job_id     bigint not null,
    held_while text   not null check (held_while in ('queued', 'unfinished')),
    expires_at timestamptz
);

create index unique_keys_by_job on pgq.unique_keys (job_id);

create table pgq.schedules (
    name       text collate "C" primary key,
    kind       text collate "C" not null,
    queue      text collate "C" not null,
    cron       text        not null,
    timezone   text        not null,
    payload    bytea       not null,
    options    jsonb,
    last_at    timestamptz,
    next_at    timestamptz not null,
    paused_at  timestamptz
);

-- Every job there is, for people and tools.
create view pgq.jobs as
select id, 'ready' as state, queue, kind, priority, attempts, max_attempts, crashes, enqueued_at, run_at,
       null::timestamptz as finished_at, null::uuid as runner_id, null::text as reason,
       version, shape, payload, options
from pgq.ready
union all
select id, 'running', queue, kind, priority, attempts, max_attempts, crashes, enqueued_at, run_at,
       null, runner_id, null, version, shape, payload, options
from pgq.leased
union all
select id, 'scheduled', queue, kind, priority, attempts, max_attempts, crashes, enqueued_at, run_at,
       null, null, null, version, shape, payload, options
from pgq.scheduled
union all
select id, state, queue, kind, priority, attempts, max_attempts, crashes, enqueued_at, run_at,
       finished_at, null, reason, version, shape, payload, options
from pgq.finished;

insert into pgq.migrations (version, name, oldest_library) values (1, 'initial', 1);
