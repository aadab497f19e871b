select name, current_setting(name) from pg_settings
where name in ('server_version', 'fsync', 'synchronous_commit', 'full_page_writes', 'wal_level', 'wal_compression',
               'shared_buffers', 'max_wal_size', 'autovacuum')
order by name
