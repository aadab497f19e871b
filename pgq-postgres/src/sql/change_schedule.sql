-- Changes what is given of schedule $1, if it is still of revision $2, and tells runners ($10 the channel). $3-$8 cron, time
-- zone, what of missed ticks, how many of them, what of overlaps, jitter; null: as it is. $9 its next tick, if it has to be another.
-- $11 who asks for it, to be noted.
with changed as (
    update pgq.schedules s set
        cron = coalesce($3, s.cron), timezone = coalesce($4, s.timezone), missed = coalesce($5, s.missed),
        missed_most = coalesce($6, s.missed_most), overlap = coalesce($7, s.overlap), jitter = coalesce($8, s.jitter),
        revision = s.revision + 1,
        next_at = case when s.paused_at is null then coalesce($9, s.next_at) end
    where s.name = $1 and s.revision = $2
    returning name
),
noted as (
    insert into pgq.audit (actor, action, detail)
    select $11, 'change_schedule', jsonb_strip_nulls(jsonb_build_object(
        'schedule', name, 'cron', $3::text, 'timezone', $4::text, 'missed', $5::text, 'missed_most', $6::smallint,
        'overlap', $7::text, 'jitter', $8::interval))
    from changed
)
select name, pg_notify($10, '!schedule') from changed
