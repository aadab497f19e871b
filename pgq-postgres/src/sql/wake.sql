-- The runner is awake: enqueues need not notify it.
update pgq.sleepers set asleep = false where runner_id = $1 and asleep
