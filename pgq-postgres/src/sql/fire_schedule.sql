-- Fires ticks $4 of schedule $1, revision $2, whose next one was $3, and sets $5 as the next. $6 the size over which a body has
-- its own row, $7 the channel. How many new jobs; null: somebody else fired.
select pgq.fire_schedule($1, $2, $3, $4, $5, $6, $7)
