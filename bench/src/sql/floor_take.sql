-- One job, for as long as the transaction lasts.
delete from pgq.ready where ctid = any(array(
    select ctid from pgq.ready where queue = $1 order by queue, priority, id limit 1 for update skip locked))
returning id
