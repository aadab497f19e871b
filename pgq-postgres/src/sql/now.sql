-- The database's time, which decides.
select now()
