-- Adds up the results of folder $1, once. $2 job, $3 attempt, $4 kind, $5 seconds since the handler's first line.
with attempt as (
    insert into attempts (job_id, attempt, kind, ready_at, started_at)
    select $2, $3, $4, folders.ready_at, clock_timestamp() - make_interval(secs => $5)
    from folders where id = $1
    on conflict do nothing
)
insert into summaries (folder_id, files, bytes, lines, words)
select $1, count(*), coalesce(sum(bytes), 0), coalesce(sum(lines), 0), coalesce(sum(words), 0)
from results join files on files.id = results.file_id
where files.folder_id = $1
on conflict (folder_id) do nothing
