-- Writes the result of a file and counts its folder down. Says whether that was the folder's last file.
-- $1 file, $2 folder, $3 bytes, $4 lines, $5 words, $6 top words, $7 problem; $8 job, $9 attempt, $10 kind,
-- $11 seconds since the handler's first line.
-- Of two deliveries of one job only the first to commit inserts the row; the other counts nothing down and gets no row
-- back. Of two files that end at once, the lock on the folder's row makes one the last.
with result as (
    insert into results (file_id, bytes, lines, words, top_words, problem)
    values ($1, $3, $4, $5, $6, $7)
    on conflict (file_id) do nothing
    returning file_id
),
attempt as (
    insert into attempts (job_id, attempt, kind, ready_at, started_at)
    select $8, $9, $10, run.ready_at, clock_timestamp() - make_interval(secs => $11) from run
    on conflict do nothing
)
update folders set
    remaining = remaining - 1,
    ready_at = case when remaining = 1 then clock_timestamp() end
from result where folders.id = $2
returning remaining = 0
