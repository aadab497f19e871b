//! Migrations are applied once, whoever comes, and disturb nobody.

use pgq_postgres::migrate;
use pgq_tests::{count, with_database, with_empty_database};
use sqlx::{Executor, query_scalar};

use crate::worker::Worker;

#[tokio::test(flavor = "multi_thread")]
async fn ten_processes_that_start_together_migrate_once() {
    with_empty_database(async |db| {
        let workers: Vec<Worker> = (0..10).map(|_| Worker::start(db.url(), &["migrate"], &[])).collect();
        for worker in workers {
            assert!(worker.exited().await.success());
        }
        assert_eq!(count(&db.pool(), "pgq.migrations").await, 1);
        migrate(&db.pool()).await.unwrap();
        assert_eq!(count(&db.pool(), "pgq.migrations").await, 1, "again changes nothing");
    })
    .await;
}

#[tokio::test]
async fn an_applications_own_migrations_are_not_disturbed() {
    with_empty_database(async |db| {
        let pool = db.pool();
        pool.execute(
            "create table _sqlx_migrations (version bigint primary key); \
                      insert into _sqlx_migrations values (20260101)",
        )
        .await
        .unwrap();
        migrate(&pool).await.unwrap();
        assert_eq!(count(&pool, "_sqlx_migrations").await, 1);
        let public: Vec<String> =
            query_scalar("select tablename::text from pg_tables where schemaname = 'public'")
                .fetch_all(&pool)
                .await
                .unwrap();
        assert_eq!(public, ["_sqlx_migrations"]);
    })
    .await;
}

#[tokio::test]
async fn the_files_can_be_pasted_into_psql() {
    with_empty_database(async |db| {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations/0001_initial.sql");
        // Every statement on its own, as psql sends them.
        let text = std::fs::read_to_string(file).unwrap();
        db.pool().execute(sqlx::AssertSqlSafe(text)).await.unwrap();
        migrate(&db.pool()).await.unwrap();
        assert_eq!(count(&db.pool(), "pgq.migrations").await, 1, "a pasted file records itself");
    })
    .await;
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing_half_done() {
    with_database(async |db| {
        let pool = db.pool();
        pool.execute("delete from pgq.migrations").await.unwrap();
        let error = migrate(&pool).await.unwrap_err();
        assert!(error.to_string().contains("already exists"), "{error}");
        assert_eq!(count(&pool, "pgq.migrations").await, 0);
    })
    .await;
}
