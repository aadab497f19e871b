-- Deletes schedule $1; its jobs stay. No row: there is none.
delete from pgq.schedules where name = $1 returning name
