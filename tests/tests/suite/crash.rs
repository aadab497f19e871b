//! A runner that dies loses no job.

use std::time::Duration;

use pgq_postgres::Enqueue;
use pgq_tests::{Action, Ran, Running, Step, count, states, with_database};
use sqlx::query_as;

use crate::worker::Worker;

/// Short, so that the test need not wait six seconds for the death to be certain.
const HEARTBEAT: Duration = Duration::from_millis(200);

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_runner_loses_no_job() {
    with_database(async |db| {
        let pool = db.pool();
        for n in 0..5 {
            Step::of(n, Action::Hang).retry_waits(vec![Duration::ZERO; 5]).enqueue(&pool).await.unwrap();
        }
        let mut doomed = Worker::start(db.url(), &[], &[("HEARTBEAT_MS", "200")]);
        for _ in 0..5 {
            assert_eq!(doomed.ran().await.attempt, 1);
        }
        doomed.signal("KILL");
        doomed.exited().await;
        let killed = std::time::Instant::now();
        let mut heir = Running::start_with(db, |runner| runner.heartbeat_interval(HEARTBEAT));
        let expected: Vec<Ran> = (0..5).map(|n| Ran { n, attempt: 2 }).collect();
        assert_eq!(heir.ran_many(5).await, expected, "all of them again, the attempt spent");
        assert!(
            killed.elapsed() < HEARTBEAT * 30,
            "soon after the death was certain: {:?}",
            killed.elapsed()
        );
        assert_eq!(heir.handle.counts().rescued, 5);
        let failures: Vec<(i16, bool)> =
            query_as("select attempt, crash from pgq.failures").fetch_all(&pool).await.unwrap();
        assert_eq!(failures, [(1, true); 5], "each is recorded as a crash");
        heir.stop_now().await;
        let left: Vec<(String, i64)> = states(&pool).await;
        assert_eq!(left, [("ready".to_owned(), 5)]);
        assert_eq!(count(&pool, "pgq.runners").await, 0, "the dead runner's row is gone");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_runner_dies_at_its_last_attempt_is_discarded_with_the_reason() {
    with_database(async |db| {
        let pool = db.pool();
        Step::of(1, Action::Hang).retry_waits([]).enqueue(&pool).await.unwrap();
        let mut doomed = Worker::start(db.url(), &[], &[("HEARTBEAT_MS", "200")]);
        doomed.ran().await;
        doomed.signal("KILL");
        doomed.exited().await;
        let heir = Running::start_with(db, |runner| runner.heartbeat_interval(HEARTBEAT));
        heir.until(|counts| counts.rescued == 1).await;
        heir.stop().await;
        let end: (String, i16, String) =
            query_as("select state, crashes, reason from pgq.finished").fetch_one(&pool).await.unwrap();
        assert_eq!(end, ("discarded".into(), 1, "its runner died during its last attempt".into()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_row_that_cannot_be_moved_does_not_hold_up_the_others() {
    with_database(async |db| {
        let pool = db.pool();
        for n in 0..4 {
            Step::of(n, Action::Hang).enqueue(&pool).await.unwrap();
        }
        let mut doomed = Worker::start(db.url(), &[], &[("HEARTBEAT_MS", "200")]);
        for _ in 0..4 {
            doomed.ran().await;
        }
        let poison: i64 =
            sqlx::query_scalar("select min(id) from pgq.leased").fetch_one(&pool).await.unwrap();
        let trigger = format!(
            "create function refuse() returns trigger language plpgsql as $$ begin \
             if new.id = {poison} then raise 'not this one'; end if; return new; end $$; \
             create trigger refuse before insert on pgq.ready for each row execute function refuse()"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(trigger)).execute(&pool).await.unwrap();
        doomed.signal("KILL");
        doomed.exited().await;
        let mut heir = Running::start_with(db, |runner| runner.heartbeat_interval(HEARTBEAT));
        heir.until(|counts| counts.rescued == 3 || counts.database_errors > 1).await;
        assert_eq!(heir.handle.counts().rescued, 3, "the first rescue moves all but the one");
        assert_eq!(heir.ran_many(3).await.len(), 3);
        heir.stop_now().await;
        let left: Vec<(String, i64)> = states(&pool).await;
        assert_eq!(
            left,
            [("ready".to_owned(), 3), ("running".to_owned(), 1)],
            "the one waits for the next try"
        );
        sqlx::raw_sql("drop function refuse cascade").execute(&pool).await.unwrap();
        let mut healed = Running::start_with(db, |runner| runner.heartbeat_interval(HEARTBEAT));
        assert_eq!(healed.ran_many(4).await.len(), 4);
        healed.stop_now().await;
    })
    .await;
}
