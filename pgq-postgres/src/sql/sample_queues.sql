-- For each queue of $1: how many jobs are ready, of $2 at most, and for how many seconds the oldest one has been due; none if there
-- is none. Looks at the first $3 jobs of each priority, $2 in all: a job of a priority that was put back behind so many others may
-- be older.
select q.queue,
       (select count(*) from (select from pgq.ready r where r.queue = q.queue limit $2) c) as depth,
       (
           with recursive lanes as (
               (select r.priority from pgq.ready r where r.queue = q.queue order by r.queue, r.priority limit 1)
               union all
               select next.priority
               from lanes l cross join lateral (
                   select r.priority from pgq.ready r where r.queue = q.queue and r.priority > l.priority
                   order by r.queue, r.priority limit 1) next
           )
           select extract(epoch from now() - min(due))::float8
           from (select head.due from lanes l cross join lateral (
                     select coalesce(r.run_at, r.enqueued_at) as due from pgq.ready r
                     where r.queue = q.queue and r.priority = l.priority
                     order by r.queue, r.priority, r.id limit $3) head
                 limit $2) heads
       ) as latency
from unnest($1::text[]) as q (queue)
