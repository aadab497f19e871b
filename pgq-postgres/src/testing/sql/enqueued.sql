-- The jobs of kind $1 that wait.
select j.id, j.queue, j.priority, j.version, j.shape, coalesce(j.payload, p.body) as payload, j.enqueued_at, j.run_at
from pgq.jobs j left join pgq.payloads p on p.job_id = j.id
where j.kind = $1 and j.state in ('ready', 'scheduled') order by j.id
