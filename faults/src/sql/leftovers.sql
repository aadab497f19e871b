-- What is still in the tables when everything should have ended.
select id, state, attempts, max_attempts, crashes, coalesce(reason, '') from pgq.jobs
