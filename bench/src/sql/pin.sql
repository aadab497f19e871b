-- A snapshot is taken by the first statement.
begin isolation level repeatable read;
select 1
