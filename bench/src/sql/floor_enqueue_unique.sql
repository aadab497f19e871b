with mine as (
    insert into pgq.unique_keys (key, job_id, held_while) values ($8, nextval('pgq.job_ids'), 'unfinished')
    on conflict do nothing
    returning job_id
)
insert into pgq.ready (id, queue, kind, priority, version, shape, max_attempts, payload)
select job_id, $1, $2, $3, $4, $5, $6, $7 from mine
