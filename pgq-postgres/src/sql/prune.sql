-- Deletes up to $4 finished jobs that are older than their state's age ($1 states, $2 ages), with what belongs to
-- them. Rows that another session holds are left for the next time. $3 only one pruner at a time.
with old as (
    delete from pgq.finished f where f.ctid = any(array(
        select f.ctid from unnest($1::text[], $2::interval[]) as a (state, age)
        cross join lateral (
            select f.ctid from pgq.finished f
            where f.state = a.state and f.finished_at < now() - a.age
            order by f.state, f.finished_at limit $4 for update skip locked) f
        where pg_try_advisory_xact_lock($3)))
    returning f.id
),
bodies as (delete from pgq.payloads where job_id = any(array(select id from old))),
history as (delete from pgq.failures where job_id = any(array(select id from old)))
select count(*) from old
