-- How many jobs have left their mark, and whether some are still to run.
select (select count(*) from results) + (select count(*) from summaries)
           + (select count(*) from attempts where kind = $1 and attempt > 1) as done,
       exists (select from pgq.jobs where state in ('ready', 'running', 'scheduled')) as unfinished
