-- A cheap look before the full count.
select exists (select from pgq.leases)
