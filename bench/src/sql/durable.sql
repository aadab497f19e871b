-- A commit that waits for the disk puts every commit before it there as well.
select pg_logical_emit_message(true, 'pgq bench', 'the end')
