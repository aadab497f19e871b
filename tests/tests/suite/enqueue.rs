//! A job exists exactly when its transaction committed, and is due when it was said to be.

use std::time::{Duration, SystemTime};

use pgq_postgres::Enqueue;
use pgq_tests::{Running, Step, states, with_database};
use sqlx::query_as;

#[tokio::test]
async fn what_rolls_back_leaves_nothing() {
    with_database(async |db| {
        let pool = db.pool();
        let mut tx = pool.begin().await.unwrap();
        Step::succeed(1).enqueue(&mut *tx).await.unwrap();
        Step::succeed(2).after(Duration::from_secs(1)).enqueue(&mut *tx).await.unwrap();
        tx.rollback().await.unwrap();
        assert_eq!(states(&pool).await, []);
        let mut tx = pool.begin().await.unwrap();
        let first = Step::succeed(3).enqueue(&mut *tx).await.unwrap().id();
        let second = Step::succeed(4).enqueue(&mut *tx).await.unwrap().id();
        assert_eq!(states(&pool).await, [], "nobody else sees it before the commit");
        tx.commit().await.unwrap();
        assert!(first < second);
        assert_eq!(states(&pool).await, [("ready".to_owned(), 2)]);
    })
    .await;
}

#[tokio::test]
async fn delays_count_by_the_databases_clock_and_times_are_kept_to_the_microsecond() {
    with_database(async |db| {
        let pool = db.pool();
        let time = SystemTime::UNIX_EPOCH + Duration::from_micros(4_102_444_800_123_456); // 2100-01-01
        Step::succeed(1).after(Duration::from_secs(86_400)).enqueue(&pool).await.unwrap();
        Step::succeed(2).at(time).enqueue(&pool).await.unwrap();
        Step::succeed(3).at(SystemTime::UNIX_EPOCH).enqueue(&pool).await.unwrap();
        let rows: Vec<(String, bool, bool)> = query_as(
            "select state, run_at - enqueued_at = interval '1 day', run_at = '2100-01-01T00:00:00.123456Z' \
             from pgq.jobs order by id",
        )
        .fetch_all(&pool)
        .await
        .unwrap();
        let expected = [("scheduled", true, false), ("scheduled", false, true), ("ready", false, false)];
        assert_eq!(rows, expected.map(|(state, day, time)| (state.to_owned(), day, time)));
    })
    .await;
}

#[tokio::test]
async fn delayed_jobs_run_when_they_are_due_and_not_before() {
    with_database(async |db| {
        let pool = db.pool();
        let delay = Duration::from_millis(300);
        let mut running = Running::start(db);
        let enqueued = std::time::Instant::now();
        Step::succeed(1).after(delay).enqueue(&pool).await.unwrap();
        running.ran().await;
        assert!(enqueued.elapsed() >= delay);
        running.stop().await;
        assert_eq!(states(&pool).await, []);
    })
    .await;
}

#[tokio::test]
async fn a_job_can_differ_from_its_type() {
    with_database(async |db| {
        let pool = db.pool();
        Step::succeed(1)
            .to_enqueue()
            .queue("elsewhere")
            .priority(-3)
            .retry_waits([Duration::from_millis(5)])
            .timeout(Duration::from_millis(1500))
            .enqueue(&pool)
            .await
            .unwrap();
        let row: (String, String, i16, i16, String) =
            query_as("select queue, kind, priority, max_attempts, options::text from pgq.ready")
                .fetch_one(&pool)
                .await
                .unwrap();
        let options = r#"{"retry": {"waits": [{"secs": 0, "nanos": 5000000}]}, "timeout_ms": 1500}"#;
        assert_eq!(row, ("elsewhere".into(), "step".into(), -3, 2, options.into()));
    })
    .await;
}
