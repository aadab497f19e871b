-- Pauses a queue for longer than last time, unless it is already pausing.
-- $2, $3 the first and the longest pause in milliseconds; the doubling is pgq_core::slow_down.
insert into pgq.queues as q (name, slow_ms, slow_until)
values ($1, $2::integer, now() + $2::integer * interval '1 millisecond')
on conflict (name) do update
set slow_ms = least(greatest(q.slow_ms * 2, $2::integer), $3::integer),
    slow_until = now() + least(greatest(q.slow_ms * 2, $2::integer), $3::integer) * interval '1 millisecond'
where q.slow_until is null or q.slow_until <= now()
