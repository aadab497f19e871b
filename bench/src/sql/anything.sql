-- A cheap look before the full count, by the end of the index: what is there runs last.
select (select id from pgq.ready order by queue desc, priority desc, id desc limit 1) is not null
       or exists (select from pgq.leases)
