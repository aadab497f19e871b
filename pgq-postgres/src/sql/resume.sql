-- Runners may claim from this queue again; those that sleep are told ($2 the channel).
with resumed as (update pgq.queues set paused_at = null where name = $1 and paused_at is not null returning name)
select name, pg_notify($2, name) from resumed
