-- Which of these leases somebody else than their runner's outcomes ended, wholly or in part.
select distinct lease from faults.ends where lease = any($1) and session <> 'pgq settle'
