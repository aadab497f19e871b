-- No runner claims from this queue until it is resumed.
insert into pgq.queues as q (name, paused_at) values ($1, now())
on conflict (name) do update set paused_at = coalesce(q.paused_at, now())
