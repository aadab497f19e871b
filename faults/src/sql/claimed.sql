-- Which of these leases the server knows of: the claims of the others were undone.
select lease from faults.claims where lease = any($1)
