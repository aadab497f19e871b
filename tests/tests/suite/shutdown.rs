//! A runner that is told to stop finishes what runs and gives the rest back.

use std::time::Duration;

use pgq_postgres::Enqueue;
use pgq_tests::{Action, Running, Step, count, states, with_database};
use sqlx::query_as;

use crate::worker::Worker;

#[tokio::test]
async fn running_jobs_finish_and_unstarted_ones_go_back_unspent() {
    with_database(async |db| {
        let pool = db.pool();
        // Quick ones first, so that the runner has a reason to prefetch; then one that holds the only slot.
        for n in 0..50 {
            Step::succeed(n).enqueue(&pool).await.unwrap();
        }
        let mut running = Running::start_with(db, |runner| runner.slots(1));
        running.ran_many(50).await;
        let mut tx = pool.begin().await.unwrap();
        Step::of(50, Action::Gate).enqueue(&mut *tx).await.unwrap();
        for n in 51..100 {
            Step::succeed(n).enqueue(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
        assert_eq!(running.ran().await.n, 50);
        running.until(|counts| counts.claimed > 51).await;
        running.handle.stop();
        running.probe.open_gate(1);
        let (counts, ran) = running.stop().await;
        assert_eq!(counts.completed, 51, "the one that ran has finished");
        assert_eq!(ran, [], "nothing was started after the stop");
        assert_eq!(counts.released, counts.claimed - 51);
        let left: (i64, i64) =
            query_as("select count(*), sum(attempts)::bigint from pgq.ready").fetch_one(&pool).await.unwrap();
        assert_eq!(left, (49, 0), "all the others are back, their attempts unspent");
        assert_eq!(count(&pool, "pgq.leases").await + count(&pool, "pgq.runners").await, 0);
    })
    .await;
}

#[tokio::test]
async fn after_the_grace_what_runs_is_cancelled_and_what_does_not_return_goes_back() {
    with_database(async |db| {
        let pool = db.pool();
        Step::of(1, Action::UntilCancelled).enqueue(&pool).await.unwrap();
        Step::of(2, Action::Hang).enqueue(&pool).await.unwrap();
        let mut running = Running::start_with(db, |runner| runner.grace(Duration::from_millis(10)));
        running.ran_many(2).await;
        let handle = running.handle.clone();
        let stopping = tokio::spawn(running.stop());
        // The first returns when the grace is over; the second would be given five seconds, so end them.
        while handle.counts().completed == 0 {
            tokio::task::yield_now().await;
        }
        handle.stop_now();
        let (counts, _) = stopping.await.unwrap();
        assert_eq!((counts.completed, counts.released), (1, 1));
        let left: (String, i16) =
            query_as("select state, attempts from pgq.jobs").fetch_one(&pool).await.unwrap();
        assert_eq!(left, ("ready".into(), 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_stops_a_process_cleanly_and_a_second_one_skips_the_grace() {
    with_database(async |db| {
        let pool = db.pool();
        Step::of(1, Action::Hang).enqueue(&pool).await.unwrap();
        let mut worker = Worker::start(db.url(), &[], &[]);
        worker.ran().await;
        worker.signal("TERM");
        worker.signal("INT");
        let (code, rest, _) = worker.ended().await;
        assert_eq!((code, rest), (Some(0), vec!["stopped".to_owned()]), "and on_stop was called");
        let left: (String, i16) =
            query_as("select state, attempts from pgq.jobs").fetch_one(&pool).await.unwrap();
        assert_eq!(left, ("ready".into(), 0));
        assert_eq!(count(&pool, "pgq.runners").await, 0);
    })
    .await;
}

#[tokio::test]
async fn an_idle_runner_stops_at_once() {
    with_database(async |db| {
        let running = Running::start(db);
        let (counts, _) = running.stop().await;
        assert_eq!(counts.claimed, 0);
        assert_eq!(states(&db.pool()).await, []);
    })
    .await;
}

#[tokio::test]
async fn a_runner_whose_future_is_dropped_leaves_no_task_behind() {
    with_database(async |db| {
        let pool = db.pool();
        Step::of(1, Action::Hang).enqueue(&pool).await.unwrap();
        let (probe, mut ran) = pgq_tests::Probe::new();
        let runner = pgq_postgres::Runner::empty().register::<Step>().state(probe).pool(pool.clone());
        let mut running = Box::pin(runner.without_signals().run());
        tokio::select! {
            _ = &mut running => panic!("it runs until it is told to stop"),
            ran = ran.recv() => assert!(ran.is_some()),
        }
        drop(running);
        // Every task and the thread let go of the database; the job is left to a rescuer.
        while count(
            &pool,
            "pg_stat_activity where application_name like 'pgq %' and datname = current_database()",
        )
        .await
            > 0
        {
            tokio::task::yield_now().await;
        }
        assert_eq!(states(&pool).await, [("running".to_owned(), 1)]);
        assert!(ran.recv().await.is_none(), "the handler was dropped, and with it the state");
    })
    .await;
}
