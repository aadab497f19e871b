-- What the database's clock says.
select clock_timestamp()
