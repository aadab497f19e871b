-- Failures of the last $1, at most the last $2 of them, in groups of errors that differ in numbers, ids and quoted texts
-- alone: the $3 largest groups.
with running as materialized (
    select id, kind from pgq.leased
),
last as materialized (
    select f.job_id, f.at, f.crash, f.error, coalesce(d.kind, s.kind, r.kind) as kind
    from (select * from pgq.failures where at >= now() - $1::interval order by at desc limit $2) f
    left join pgq.finished d on d.id = f.job_id
    left join pgq.scheduled s on s.id = f.job_id
    left join running r on r.id = f.job_id -- the ready table has no index on ids, and may hold millions
),
marked as materialized (
    select l.*, md5(regexp_replace(regexp_replace(
        lower(left(split_part(l.error, chr(10), 1), 400)),
        '"[^"]*"|''[^'']*''|`[^`]*`|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|0x[0-9a-f]+', '?', 'g'),
        '[0-9]+', '#', 'g')) as fingerprint
    from last l
)
select left(fingerprint, 12) as fingerprint, count(*) as failures, count(distinct job_id) as jobs, min(at) as first_at,
       max(at) as last_at, bool_or(crash) as crash,
       (array_agg(left(error, 500) order by at desc))[1] as error, (array_agg(job_id order by at desc))[1] as last_job,
       coalesce(array_agg(distinct kind) filter (where kind is not null), '{}') as kinds,
       (select count(*) from last) as looked
from marked group by fingerprint order by count(*) desc, max(at) desc limit $3
