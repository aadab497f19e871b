-- How often each job's effect was made, of one part of the jobs.
select n, count(*) from faults.effects where n % $1 = $2 group by n
