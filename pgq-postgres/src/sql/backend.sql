-- Which process of the server answers.
select pg_backend_pid()
