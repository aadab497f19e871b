-- Where job $1 is.
select state from pgq.jobs where id = $1
