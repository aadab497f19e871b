-- All looks of one question see the same moment.
begin isolation level repeatable read, read only
