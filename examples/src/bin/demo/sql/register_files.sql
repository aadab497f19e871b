-- Registers files, and the folders that are new among theirs. $1 folders, $2 paths; one element a file.
with file as materialized (
    select * from unnest($1::text[], $2::text[]) as f (folder, path)
),
new as (
    insert into folders (path) select distinct folder from file on conflict (path) do nothing returning id, path
),
-- This statement does not see what it inserts, so no folder is in both parts.
folder as (
    select id, path from new
    union all
    select id, path from folders where path in (select folder from file)
)
insert into files (folder_id, path)
select folder.id, file.path from file join folder on folder.path = file.folder
returning id, folder_id, path
