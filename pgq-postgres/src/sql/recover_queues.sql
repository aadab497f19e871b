-- A job of these queues succeeded: they are slow no longer.
update pgq.queues set slow_ms = 0, slow_until = null where name = any($1) and slow_ms > 0 returning name
