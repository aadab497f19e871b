//! A runner that was taken for dead while it was stopped changes nothing when it goes on: its jobs belong to another.

use std::time::Duration;

use pgq_postgres::{Admin, Cancelled, Enqueue};
use pgq_tests::{Action, Running, Step, count, states, until, until_state, with_database};
use sqlx::types::Uuid;
use sqlx::{PgPool, query, query_as, query_scalar};

use crate::worker::Worker;

/// Short, so that half a minute of silence is three seconds.
const HEARTBEAT: Duration = Duration::from_millis(200);

/// What the stopped worker's handlers do when they go on.
enum Late {
    /// They return that, whatever they are told.
    Return(Action),
    /// They do not return: the worker, which is asked to stop, gives its jobs back.
    NotAtAll,
}

/// Stops a worker with two jobs until another runner has taken them over, finished the one and begun the other. Then
/// lets the worker go on and record what became of them in its hands.
async fn outcomes_change_nothing(late: Late, keeps_completed: bool) {
    with_database(async |db| {
        let pool = db.pool();
        let keep = if keeps_completed { "1" } else { "0" };
        let settings = [("HEARTBEAT_MS", "200"), ("KEEP_COMPLETED", keep), ("RUST_LOG", "warn")];
        let mut stopped = Worker::start(db.url(), &[], &settings);
        let first = match &late {
            Late::Return(action) => Action::Deaf(Box::new(action.clone())),
            Late::NotAtAll => Action::Hang,
        };
        // One after the other, so that each has a lease of its own.
        for (n, then) in [(1, Action::Succeed), (2, Action::Gate)] {
            Step::of(n, Action::InTurn(vec![first.clone(), then])).enqueue(&pool).await.unwrap();
            assert_eq!(stopped.ran().await.n, n);
        }
        stopped.signal("STOP");
        let mut heir = Running::start_with(db, |runner| {
            let runner = runner.heartbeat_interval(HEARTBEAT);
            if keeps_completed { runner.keep_completed(Duration::from_secs(3600)) } else { runner }
        });
        assert_eq!(heir.ran_many(2).await.iter().map(|ran| ran.attempt).collect::<Vec<_>>(), [2, 2]);
        let finished = i64::from(keeps_completed);
        until(async || {
            count(&pool, "pgq.leased").await == 1 && count(&pool, "pgq.finished").await == finished
        })
        .await;
        let before = everything(&pool).await;
        stopped.signal("CONT");
        if let Late::Return(_) = late {
            stopped.open_gate(2).await;
        }
        stopped.signal("TERM");
        let (code, rest, log) = stopped.ended().await;
        assert_eq!((code, rest), (Some(0), vec!["lease_lost 2".into(), "stopped".into()]), "{log}");
        assert_eq!(log.matches("a lease passed to another runner").count(), 2, "{log}");
        assert_eq!(everything(&pool).await, before);
        heir.probe.open_gate(1);
        heir.until(|counts| counts.completed == 2).await;
        let (counts, rest) = heir.stop().await;
        assert_eq!((counts.claimed, counts.rescued, counts.lease_lost, rest), (2, 2, 0, vec![]));
        let kept = if keeps_completed { vec![("completed".to_owned(), 2)] } else { vec![] };
        assert_eq!(states(&pool).await, kept);
        assert_eq!(count(&pool, "pgq.leases").await + count(&pool, "pgq.runners").await, 0);
    })
    .await;
}

/// A job with its lease, and how it stands.
type Row = (i64, String, i16, i16, Option<Uuid>, Option<String>);

/// Every row of every job, and every failure.
async fn everything(pool: &PgPool) -> (Vec<Row>, Vec<(i64, i16, bool)>) {
    let jobs = query_as(
        "select j.id, j.state, j.attempts, j.crashes, l.lease_id, j.reason \
         from pgq.jobs j left join pgq.leased l on l.id = j.id order by j.id",
    );
    let failures = query_as("select job_id, attempt, crash from pgq.failures order by job_id, at");
    (jobs.fetch_all(pool).await.unwrap(), failures.fetch_all(pool).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_completion_changes_nothing() {
    outcomes_change_nothing(Late::Return(Action::Succeed), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_completion_that_would_be_kept_changes_nothing() {
    outcomes_change_nothing(Late::Return(Action::Succeed), true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_failure_changes_nothing() {
    outcomes_change_nothing(Late::Return(Action::Fail("late".into())), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_snooze_changes_nothing() {
    outcomes_change_nothing(Late::Return(Action::Snooze(Duration::ZERO)), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_discard_changes_nothing() {
    outcomes_change_nothing(Late::Return(Action::Discard), false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_goes_to_the_heir_and_the_late_owner_changes_nothing() {
    with_database(async |db| {
        let pool = db.pool();
        let mut stopped = Worker::start(db.url(), &[], &[("HEARTBEAT_MS", "200")]);
        let late = Action::Deaf(Box::new(Action::Succeed));
        let id = Step::of(1, Action::InTurn(vec![late, Action::SnoozeOnceCancelled]))
            .enqueue(&pool)
            .await
            .unwrap();
        stopped.ran().await;
        stopped.signal("STOP");
        let mut heir = Running::start_with(db, |runner| runner.heartbeat_interval(HEARTBEAT));
        assert_eq!(heir.ran().await.attempt, 2);
        stopped.signal("CONT");
        stopped.open_gate(1).await;
        assert_eq!(Admin::new(&pool).cancel(id).await.unwrap(), Cancelled::Running);
        until_state(&pool, id, "cancelled").await;
        stopped.signal("TERM");
        let (code, rest, log) = stopped.ended().await;
        assert_eq!((code, rest), (Some(0), vec!["lease_lost 1".into(), "stopped".into()]), "{log}");
        heir.stop().await;
        assert_eq!(states(&pool).await, [("cancelled".to_owned(), 1)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_given_back_late_at_shutdown_are_not_given_back() {
    outcomes_change_nothing(Late::NotAtAll, false).await;
}

/// One that a stop has caught between two statements of a rescue would keep all others from it for as long as it lasts.
#[tokio::test(flavor = "multi_thread")]
async fn a_rescuer_that_is_stopped_half_way_does_not_keep_others_from_rescuing() {
    const LOCK: i64 = 1;
    with_database(async |db| {
        let pool = db.pool();
        let mut rescuer = pool.begin().await.unwrap();
        let lock = query_scalar(include_str!("../../../pgq-postgres/src/sql/try_rescue_lock.sql"));
        let locked: bool = lock.bind(LOCK).fetch_one(&mut *rescuer).await.unwrap();
        assert!(locked);
        // It goes on to nothing, and the lock is free when the server has ended its session.
        query("select pg_advisory_xact_lock($1)").bind(LOCK).execute(&pool).await.unwrap();
        query("select").execute(&mut *rescuer).await.unwrap_err();
    })
    .await;
}
