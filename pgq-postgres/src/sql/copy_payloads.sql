copy pgq.payloads (job_id, body) from stdin (format binary)
