copy pgq.ready (id, shape, priority, version, max_attempts, queue, kind, payload) from stdin (format binary)
