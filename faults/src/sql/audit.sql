-- What the server itself saw: who held which job, from when to when, by its own clock. Rows commit and vanish
-- together with what they tell of.
create schema faults;

create table faults.runners (id uuid not null, name text not null);
create table faults.claims (lease uuid not null, runner uuid not null, at timestamptz not null, ids bigint[] not null);
create table faults.ends (lease uuid not null, at timestamptz not null, session text not null, ids bigint[] not null);
create table faults.effects (n bigint not null, job bigint not null);
-- A heartbeat counts from when its statement began, and is there from when it was `noted`: it may have waited for a rescuer.
create table faults.beats (runner uuid not null, at timestamptz not null, noted timestamptz not null, locked boolean not null);

create index on faults.runners (id);
create index on faults.claims (lease);
create index on faults.beats (runner, at);

create function faults.note_runner() returns trigger language plpgsql as $$
begin
    insert into faults.runners values (new.id, new.name);
    return null;
end
$$;

create function faults.note_beat() returns trigger language plpgsql as $$
begin
    insert into faults.beats
    select new.id, new.heartbeat_at, clock_timestamp(),
           exists (select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid());
    return null;
end
$$;

create function faults.note_claim() returns trigger language plpgsql as $$
begin
    insert into faults.claims values (new.id, new.runner_id, clock_timestamp(), new.ids);
    return null;
end
$$;

-- The jobs of a lease that were settled by this statement: with it gone, all that were not before. A session that maintains
-- takes back what dead runners held, under the lock of all rescuers, or gives back what is its own runner's, without.
create function faults.note_end() returns trigger language plpgsql as $$
declare
    settled bigint[];
    session text := current_setting('application_name');
begin
    select array_agg(j.id) into settled
    from unnest(old.ids) with ordinality j (id, position)
    where coalesce(get_bit(old.done, (j.position - 1)::integer), 0) = 0
      and (tg_op = 'DELETE' or get_bit(new.done, (j.position - 1)::integer) = 1);
    if settled is not null then
        if session = 'pgq maintain'
           and exists (select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) then
            session := 'rescue';
        end if;
        insert into faults.ends values (old.id, clock_timestamp(), session, settled);
    end if;
    return null;
end
$$;

create trigger note_runner after insert on pgq.runners for each row execute function faults.note_runner();
create trigger note_beat after insert or update of heartbeat_at on pgq.runners
    for each row execute function faults.note_beat();
create trigger note_claim after insert on pgq.leases for each row execute function faults.note_claim();
create trigger note_settled after update of done on pgq.leases for each row execute function faults.note_end();
create trigger note_end after delete on pgq.leases for each row execute function faults.note_end();
