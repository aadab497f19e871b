-- It has one row that is no job.
select count(*) from mq_msgs where id <> '00000000-0000-0000-0000-000000000000'
