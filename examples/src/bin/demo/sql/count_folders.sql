-- Sets every folder's count of files to wait for, and notes the time; returns how many folders there are.
with noted as (
    insert into run (ready_at) values (clock_timestamp())
),
counted as (
    update folders set remaining = n.files
    from (select folder_id, count(*) as files from files group by folder_id) n
    where n.folder_id = folders.id
    returning folders.id
)
select count(*) from counted
