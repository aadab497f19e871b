select xact_commit from pg_stat_database where datname = $1
