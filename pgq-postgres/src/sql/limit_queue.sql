-- So many jobs ($2) of this queue run at a time in each runner; null: as the runner was set. $3 who asks for it, to be
-- noted. Sleeping runners are told ($4 the channel).
with changed as (
    insert into pgq.queues as q (name, max_running) values ($1, $2)
    on conflict (name) do update set max_running = excluded.max_running
    where q.max_running is distinct from excluded.max_running
    returning name
),
noted as (
    insert into pgq.audit (actor, action, queue, detail)
    select $3, 'limit', name, jsonb_build_object('max_running', $2::integer) from changed
)
select name, pg_notify($4, name) from changed
