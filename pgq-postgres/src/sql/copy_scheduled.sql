copy pgq.scheduled (id, shape, priority, version, max_attempts, queue, kind, payload, options, run_at)
from stdin (format binary)
