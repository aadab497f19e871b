//! Failed attempts come back after their waits, by the database's clock, until they are spent.

use std::time::Duration;

use pgq_postgres::{Context, Enqueue, Job, JobResult, Perform, Runner};
use pgq_tests::{Action, Ran, Running, Step, states, until, with_database};
use sqlx::{query_as, query_scalar};

/// Says nothing about retries, so it gets the default.
#[derive(Job)]
#[job(queue = "default_waits")]
struct Unlucky;

impl Perform for Unlucky {
    async fn perform(&self, _: &Context) -> JobResult {
        Err("bad luck".into())
    }
}

#[tokio::test]
async fn the_default_waits_are_1_10_and_30_minutes() {
    with_database(async |db| {
        let pool = db.pool();
        Unlucky.enqueue(&pool).await.unwrap();
        let mut waits = Vec::new();
        for _ in 0..4 {
            let runner = Runner::empty().register::<Unlucky>().pool(pool.clone()).without_signals();
            let handle = runner.handle();
            let running = tokio::spawn(runner.run());
            let seen = until(async || handle.counts().retried + handle.counts().discarded > 0);
            tokio::time::timeout(Duration::from_secs(30), seen).await.unwrap();
            handle.stop();
            running.await.unwrap().unwrap();
            let wait: Option<f64> = query_scalar(
                "select extract(epoch from run_at - (select max(at) from pgq.failures))::float8 from pgq.scheduled",
            )
            .fetch_optional(&pool)
            .await
            .unwrap();
            waits.push(wait);
            // Travel to the time of the next attempt.
            sqlx::query("update pgq.scheduled set run_at = now()").execute(&pool).await.unwrap();
        }
        assert_eq!(waits, [Some(60.0), Some(600.0), Some(1800.0), None]);
        let end: (String, i16, String) =
            query_as("select state, attempts, reason from pgq.finished").fetch_one(&pool).await.unwrap();
        assert_eq!(end, ("discarded".into(), 4, "bad luck".into()));
        let attempts: Vec<i16> =
            query_scalar("select attempt from pgq.failures order by at").fetch_all(&pool).await.unwrap();
        assert_eq!(attempts, [1, 2, 3, 4]);
    })
    .await;
}

#[tokio::test]
async fn waits_of_the_job_come_before_those_of_its_type() {
    with_database(async |db| {
        let pool = db.pool();
        let waits = [Duration::from_millis(20), Duration::from_secs(3600)];
        Step::of(1, Action::Fail("no".into())).retry_waits(waits).enqueue(&pool).await.unwrap();
        let mut running = Running::start(db);
        assert_eq!(running.ran_many(2).await, [Ran { n: 1, attempt: 1 }, Ran { n: 1, attempt: 2 }]);
        running.stop().await;
        let row: (i16, i16, bool) = query_as(
            "select attempts, max_attempts, run_at - (select max(at) from pgq.failures) = interval '1 hour' \
             from pgq.scheduled",
        )
        .fetch_one(&pool)
        .await
        .unwrap();
        assert_eq!(row, (2, 3, true));
        let gap: bool = query_scalar("select max(at) - min(at) >= interval '20 ms' from pgq.failures")
            .fetch_one(&pool)
            .await
            .unwrap();
        assert!(gap, "the second attempt did not come before its time");
    })
    .await;
}

#[tokio::test]
async fn a_snooze_spends_no_attempt_and_leaves_no_failure() {
    with_database(async |db| {
        let pool = db.pool();
        let snooze = Action::SnoozeOnce(Duration::from_millis(10));
        Step::of(1, snooze).retry_waits([]).enqueue(&pool).await.unwrap();
        let mut running = Running::start(db);
        assert_eq!(running.ran_many(2).await, [Ran { n: 1, attempt: 1 }, Ran { n: 1, attempt: 1 }]);
        let (counts, _) = running.stop().await;
        assert_eq!((counts.snoozed, counts.completed), (1, 1));
        assert_eq!(states(&pool).await, []);
    })
    .await;
}

#[tokio::test]
async fn a_job_discards_itself_at_once() {
    with_database(async |db| {
        let pool = db.pool();
        Step::of(1, Action::Discard).enqueue(&pool).await.unwrap();
        let mut running = Running::start(db);
        running.ran().await;
        running.stop().await;
        let end: (String, i16, String) =
            query_as("select state, attempts, reason from pgq.finished").fetch_one(&pool).await.unwrap();
        assert_eq!(end, ("discarded".into(), 1, "no use".into()));
    })
    .await;
}

#[tokio::test]
async fn an_attempt_ends_at_its_timeout_and_frees_its_slot() {
    with_database(async |db| {
        let pool = db.pool();
        let soon = Duration::from_millis(20);
        Step::of(1, Action::UntilCancelled).timeout(soon).enqueue(&pool).await.unwrap();
        Step::succeed(2).enqueue(&pool).await.unwrap();
        let mut running = Running::start_with(db, |runner| runner.slots(1));
        assert_eq!(running.ran().await.n, 1);
        assert_eq!(running.ran().await.n, 2, "the one slot is free again");
        let (counts, _) = running.stop().await;
        assert_eq!(counts.completed, 2, "a handler that returns when it is cancelled has its own word");
    })
    .await;
}

#[tokio::test]
async fn errors_with_nul_and_no_end_are_stored_all_the_same() {
    with_database(async |db| {
        let pool = db.pool();
        Step::of(1, Action::Fail(format!("a\0b{}", "é".repeat(10_000)))).enqueue(&pool).await.unwrap();
        let mut running = Running::start(db);
        running.ran().await;
        running.stop().await;
        let error: String = query_scalar("select error from pgq.failures").fetch_one(&pool).await.unwrap();
        assert!(error.starts_with("a\u{fffd}bé") && error.len() <= (16 << 10) + 2, "{} bytes", error.len());
    })
    .await;
}
