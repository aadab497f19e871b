-- Which migrations were applied, and the oldest library that may work with them.
select max(version), max(oldest_library) from pgq.migrations
