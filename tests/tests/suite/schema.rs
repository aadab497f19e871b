//! The schema's name is the user's choice.

use pgq_postgres::{Enqueue, Schema, migrate_schema};
use pgq_tests::{Action, Running, Step, with_database};
use sqlx::{query_as, query_scalar};

#[tokio::test]
async fn two_schemas_work_side_by_side() {
    with_database(async |db| {
        let pool = db.pool();
        // A reserved word, which only works where names are quoted everywhere.
        let other = Schema::new("user").unwrap();
        migrate_schema(&pool, &other).await.unwrap();
        let mut default = Running::start(db);
        let mut theirs = Running::start_with(db, |runner| runner.schema(&other));
        for n in 1..=3 {
            Step::succeed(n).enqueue(&pool).await.unwrap();
            Step::succeed(n + 100).schema(&other).enqueue(&pool).await.unwrap();
        }
        Step::of(104, Action::Discard).schema(&other).enqueue(&pool).await.unwrap();
        assert_eq!(default.ran_many(3).await.iter().map(|ran| ran.n).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(
            theirs.ran_many(4).await.iter().map(|ran| ran.n).collect::<Vec<_>>(),
            [101, 102, 103, 104]
        );
        default.stop().await;
        theirs.stop().await;
        let ends: (i64, i64) =
            query_as("select (select count(*) from pgq.finished), (select count(*) from \"user\".finished)")
                .fetch_one(&pool)
                .await
                .unwrap();
        assert_eq!(ends, (0, 1));
    })
    .await;
}

#[tokio::test]
async fn statements_name_no_other_schema_than_theirs() {
    pgq_tests::with_empty_database(async |db| {
        let pool = db.pool();
        let only = Schema::new("only_this").unwrap();
        migrate_schema(&pool, &only).await.unwrap();
        Step::of(1, Action::FailUntil(2))
            .to_enqueue()
            .schema(&only)
            .retry_waits([std::time::Duration::ZERO])
            .enqueue(&pool)
            .await
            .unwrap();
        let mut running = Running::start_with(db, |runner| runner.schema(&only));
        running.ran_many(2).await;
        let (counts, _) = running.stop().await;
        assert_eq!((counts.completed, counts.database_errors), (1, 0));
        let schemas: Vec<String> = query_scalar(
            "select nspname::text from pg_namespace where nspname !~ '^(pg_|information_schema|public)'",
        )
        .fetch_all(&pool)
        .await
        .unwrap();
        assert_eq!(schemas, ["only_this"]);
    })
    .await;
}
