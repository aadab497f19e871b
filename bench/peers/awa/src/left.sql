-- awa.jobs has the same, but takes minutes to count 50,000. What is pruned goes from all three at once.
select
    (select count(*) from awa.ready_entries)
    - (select count(*) from awa.done_entries)
    - (select coalesce(sum(completed_count), 0)::bigint from awa.receipt_completion_batches)
