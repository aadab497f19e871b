-- When the jobs of leases $2 of runner $1 were due, in the order of each lease. No row for a lease none of whose jobs ever was
-- scheduled: those were due when they were enqueued.
select l.id, l.run_ats from pgq.leases l
where l.runner_id = $1 and l.id = any($2) and exists (select from unnest(l.run_ats) r (at) where r.at is not null)
