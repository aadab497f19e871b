-- What a pick-up cannot be quicker than.
select pg_notify('bench', '')
