-- As if $1 had passed.
with moved as (
    update pgq.scheduled set run_at = run_at - $1 where run_at < 'infinity' returning id
),
slow as (
    update pgq.queues set slow_until = slow_until - $1 where slow_until is not null
),
keys as (
    update pgq.unique_keys set expires_at = expires_at - $1 where expires_at is not null
)
select count(*) from moved
