-- No runner claims from this queue until it is resumed. $2 who asks for it, to be noted.
with paused as (
    insert into pgq.queues as q (name, paused_at) values ($1, now())
    on conflict (name) do update set paused_at = now() where q.paused_at is null
    returning name
)
insert into pgq.audit (actor, action, queue) select $2, 'pause', name from paused
