-- Notifies ($2 the channel) of jobs in these queues, where a runner sleeps.
select pg_notify($2, queue) from unnest($1::text[]) as q (queue)
where exists (select from pgq.sleepers s where s.queue = q.queue and s.asleep)
