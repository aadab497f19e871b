-- What must hold, and how often it does not.
select 'every file has exactly one result' as check, count(*) as violations from (
    select from files left join results on results.file_id = files.id
    group by files.id having count(results.file_id) <> 1) wrong
union all
select 'every folder has exactly one summary', count(*) from (
    select from folders left join summaries on summaries.folder_id = folders.id
    group by folders.id having count(summaries.folder_id) <> 1) wrong
union all
select 'every summary counts all files of its folder', count(*) from summaries
where files <> (select count(*) from files where files.folder_id = summaries.folder_id)
union all
select 'every flaky report took exactly two attempts', count(*) from (
    select from flaky_reports left join attempts using (job_id)
    group by job_id having count(attempt) <> 2 or max(attempt) <> 2) wrong
union all
select 'no job is left in pgq.jobs', count(*) from pgq.jobs
