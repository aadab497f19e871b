-- That many ids, in order, and the time in microseconds after 2000-01-01 UTC.
select array_agg(nextval('pgq.job_ids')) as ids, (extract(epoch from now()) * 1000000)::bigint - 946684800000000 as now
from generate_series(1, $1::integer)
