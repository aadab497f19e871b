-- For this transaction: statements are planned for the values they are given, and never read a whole table where an
-- index leads to what is asked for.
select set_config('plan_cache_mode', 'force_custom_plan', true), set_config('enable_seqscan', 'off', true),
       set_config('jit', 'off', true)
