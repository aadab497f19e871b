-- Deletes up to $4 finished jobs of state $1 that are older than $2, as prune.sql does for runners, and notes it: $5 who
-- asks for it. Rows that another session holds are left. $3 only one at a time.
with old as (
    delete from pgq.finished f where f.ctid = any(array(
        select ctid from pgq.finished
        where state = $1 and finished_at < now() - $2::interval and pg_try_advisory_xact_lock($3)
        order by state, finished_at limit $4 for update skip locked))
    returning f.id
),
bodies as (delete from pgq.payloads where job_id = any(array(select id from old))),
history as (delete from pgq.failures where job_id = any(array(select id from old))),
noted as (
    insert into pgq.audit (actor, action, jobs, detail)
    select $5, 'prune', array_agg(id), jsonb_build_object('state', $1::text, 'age', $2::interval, 'jobs', count(*))
    from old having count(*) > 0
)
select count(*) from old
