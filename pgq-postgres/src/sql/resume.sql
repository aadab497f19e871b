-- Runners may claim from this queue again; those that sleep are told ($2 the channel). $3 who asks for it, to be noted.
with resumed as (
    update pgq.queues set paused_at = null where name = $1 and paused_at is not null returning name
),
noted as (
    insert into pgq.audit (actor, action, queue) select $3, 'resume', name from resumed
)
select name, pg_notify($2, name) from resumed
