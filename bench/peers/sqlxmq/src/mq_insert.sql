-- As its `spawn` does with one.
select mq_insert(array_agg((
    gen_random_uuid(), interval '0', 4, interval '1 second', $1, '', null, false, $2, payload, null
)::mq_new_t))
from unnest($3::text[]) as job (payload)
