-- A runner has a row for each of its queues.
select count(distinct runner_id) from pgq.sleepers where asleep
