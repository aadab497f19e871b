-- Of each of these leases: whether the server knows of its claim, or a crash has undone that; and whether somebody else than
-- its runner's outcomes ended it, wholly or in part.
select l.lease, l.lease in (select lease from faults.claims) as claimed,
       l.lease in (select lease from faults.ends where session <> 'pgq settle') as taken
from unnest($1::uuid[]) l (lease)
