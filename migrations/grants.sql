-- Roles for pgq's tables. Optional: no program needs them, and migrating does not run this file. Paste it into psql
-- after the migrations, and again after every later one; for another schema, replace the word pgq throughout.
-- To be run by a superuser, or by a role that may create roles and owns the database and what is in this schema.
--
-- Nobody can log in as one of these roles. Grant them to those who do:
--     create role shop login in role pgq_producer, pgq_runner;

do $$
declare
    wanted text;
begin
    foreach wanted in array array['pgq_owner', 'pgq_producer', 'pgq_runner', 'pgq_viewer', 'pgq_operator'] loop
        begin
            if not exists (select from pg_roles where rolname = wanted) then
                execute format('create role %I nologin', wanted);
            end if;
        exception when duplicate_object or unique_violation then
            null; -- roles belong to all databases of a server: another one was quicker
        end;
    end loop;
end
$$;

-- In one block, so that programs at work never find their rights gone.
do $$
declare
    item      record;
    -- What comes out of a payload, or tells what is in one.
    contents  constant text[] := array['payload', 'payloads', 'options', 'args', 'body', 'key', 'detail', 'unique_key', 'declared'];
    -- Tables whose rows only runners change.
    of_runners constant text[] := array['leases', 'runners', 'sleepers', 'schedule_ticks'];
    -- Tables that can only be added to; the owner prunes them, so that nobody removes his own traces.
    of_record constant text[] := array['audit'];
begin
    if not (select rolsuper from pg_roles where rolname = current_user) then
        -- Only who can become the new owner may give things away, and only to one who may have a schema here.
        execute format('grant pgq_owner to %I', current_user);
        execute format('grant create on database %I to pgq_owner', current_database());
    end if;

    -- The owner: what migrations need, and nothing else should.
    for item in
        select c.oid::regclass as name,
               case c.relkind when 'v' then 'view' when 'S' then 'sequence' else 'table' end as sort
        from pg_class c
        where c.relnamespace = 'pgq'::regnamespace and c.relkind in ('r', 'p', 'v', 'S')
          and c.relowner <> 'pgq_owner'::regrole
          and not exists (select from pg_depend d -- the sequence of a column goes with its table
                          where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i')
                            and d.refclassid = 'pg_class'::regclass)
    loop
        execute format('alter %s %s owner to pgq_owner', item.sort, item.name);
    end loop;
    for item in
        select p.oid::regprocedure as name from pg_proc p
        where p.pronamespace = 'pgq'::regnamespace and p.proowner <> 'pgq_owner'::regrole
    loop
        execute format('alter routine %s owner to pgq_owner', item.name);
    end loop;
    alter schema pgq owner to pgq_owner;

    revoke all on all tables in schema pgq from public, pgq_producer, pgq_runner, pgq_viewer, pgq_operator;
    revoke all on all sequences in schema pgq from public, pgq_producer, pgq_runner, pgq_viewer, pgq_operator;
    revoke all on all routines in schema pgq from public, pgq_producer, pgq_runner, pgq_viewer, pgq_operator;
    revoke all on schema pgq from public, pgq_producer, pgq_runner, pgq_viewer, pgq_operator;
    grant usage on schema pgq to pgq_producer, pgq_runner, pgq_viewer, pgq_operator;
    grant usage on all sequences in schema pgq to pgq_producer, pgq_runner, pgq_operator;

    -- The producer adds jobs. Of what is there it sees the id of a due job, and which queues have a runner asleep.
    grant insert (id, shape, priority, version, max_attempts, queue, kind, payload, options, run_at), select (id)
        on pgq.ready to pgq_producer;
    grant insert (id, shape, priority, version, max_attempts, queue, kind, payload, options, run_at)
        on pgq.scheduled to pgq_producer;
    grant insert on pgq.payloads to pgq_producer;
    grant select (queue, asleep) on pgq.sleepers to pgq_producer;
    -- A unique job may replace one that waits, which takes rights that the producer does not have.
    alter function pgq.enqueue_unique(pgq.scheduled, bytea, bytea, text, interval, text)
        security definer set search_path = pg_catalog, pg_temp;
    grant execute on function pgq.enqueue_unique(pgq.scheduled, bytea, bytea, text, interval, text)
        to pgq_producer, pgq_runner, pgq_operator;

    -- The runner works with all tables; its handlers may enqueue, too. The operator changes jobs that no runner holds,
    -- and marks those that run. Tables of later migrations are treated like those that are here now.
    grant execute on all routines in schema pgq to pgq_runner, pgq_operator;
    for item in
        select c.oid::regclass as name, c.relname, c.relkind = 'v' or c.relname = 'migrations' as only_read
        from pg_class c where c.relnamespace = 'pgq'::regnamespace and c.relkind in ('r', 'p', 'v')
    loop
        execute format('grant select on %s to pgq_runner, pgq_operator', item.name);
        if item.only_read then
            continue;
        end if;
        if item.relname = any(of_record) then
            execute format('grant insert on %s to pgq_runner, pgq_operator', item.name);
            continue;
        end if;
        execute format('grant insert, update, delete on %s to pgq_runner', item.name);
        if item.relname <> all(of_runners) then
            execute format('grant insert, update, delete on %s to pgq_operator', item.name);
        end if;
    end loop;
    grant update (cancelled) on pgq.leases to pgq_operator;

    -- The viewer sees every table and view, but no contents of jobs.
    for item in
        select c.oid::regclass as name, string_agg(quote_ident(a.attname), ', ' order by a.attnum) as columns
        from pg_class c join pg_attribute a on a.attrelid = c.oid
        where c.relnamespace = 'pgq'::regnamespace and c.relkind in ('r', 'p', 'v')
          and a.attnum > 0 and not a.attisdropped and a.attname <> all(contents)
        group by c.oid
    loop
        execute format('grant select (%s) on %s to pgq_viewer', item.columns, item.name);
    end loop;
    grant execute on function pgq.jobs_of(pgq.leases) to pgq_viewer; -- the views call it in their reader's name
end
$$;
