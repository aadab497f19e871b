-- Looks must not walk over the rows that are gone.
select set_config('enable_seqscan', 'off', false), set_config('enable_sort', 'off', false)
