-- Whether this schema was ever migrated.
select to_regclass('pgq.migrations') is not null
