-- Makes schedule $1, or replaces the one of that name, and tells runners ($22 the channel). $21 its next tick; one that is
-- due of the same cron and time zone stays due, and a pause stays. $20 what a program declares: null for a person, which leaves
-- what was declared; a program changes nothing that it has declared before. No row: nothing was to be changed. $23 which person, to be
-- noted.
with put as (
    insert into pgq.schedules as s (name, cron, timezone, missed, missed_most, overlap, jitter, kind, queue, priority,
                                    version, shape, max_attempts, payload, options, unique_key, held_while,
                                    unique_period, on_conflict, declared, next_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
    on conflict (name) do update set
        cron = excluded.cron, timezone = excluded.timezone, missed = excluded.missed,
        missed_most = excluded.missed_most, overlap = excluded.overlap, jitter = excluded.jitter,
        kind = excluded.kind, queue = excluded.queue, priority = excluded.priority, version = excluded.version,
        shape = excluded.shape, max_attempts = excluded.max_attempts, payload = excluded.payload,
        options = excluded.options, unique_key = excluded.unique_key, held_while = excluded.held_while,
        unique_period = excluded.unique_period, on_conflict = excluded.on_conflict,
        declared = coalesce(excluded.declared, s.declared), revision = s.revision + 1,
        next_at = case when s.paused_at is not null then null
                       when s.cron = excluded.cron and s.timezone = excluded.timezone then s.next_at
                       else excluded.next_at end
    where excluded.declared is null or excluded.declared is distinct from s.declared
    returning name, cron, timezone, kind, next_at
),
noted as (
    insert into pgq.audit (actor, action, detail)
    select $23, 'put_schedule', jsonb_build_object('schedule', name, 'cron', cron, 'timezone', timezone, 'kind', kind)
    from put where $20::bytea is null
)
select next_at, pg_notify($22, '!schedule') from put
