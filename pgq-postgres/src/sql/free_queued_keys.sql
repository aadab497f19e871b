-- Jobs $1 begin: those that held their keys only while they were queued give them back.
delete from pgq.unique_keys k where k.ctid = any(array(
    select u.ctid from pgq.unique_keys u where u.job_id = any($1) and u.held_while = 'queued' for update skip locked))
