select count(*) from apalis.jobs where status <> 'Done'
