select count(*) from awa.jobs where state <> 'completed'
