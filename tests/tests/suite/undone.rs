//! A settle does not wait for the disk, so a crash of the server can undo it after its runner was told that it is done.
//! The runner lives on; what it settles next must not lose the job.

use pgq_postgres::Enqueue;
use pgq_tests::{Action, Ran, Running, Step, states, until_state, with_database};
use sqlx::{Executor, raw_sql};

/// What a server is left with that lost the settle of the first job of a lease.
const UNDO: &str = "delete from pgq.scheduled; delete from pgq.finished; delete from pgq.failures; \
                    update pgq.leases set done = null";

/// The first of three jobs in one lease ends as it does; that is undone. The others complete, one after the other.
async fn an_outcome_is_undone(first: Action, state: &str) {
    with_database(async |db| {
        let pool = db.pool();
        let mut tx = pool.begin().await.unwrap();
        let id = Step::of(1, first).enqueue(&mut *tx).await.unwrap();
        for n in [2, 3] {
            Step::of(n, Action::Gate).enqueue(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
        let mut running = Running::start(db);
        assert_eq!(running.ran_many(3).await, [1, 2, 3].map(|n| Ran { n, attempt: 1 }));
        until_state(&pool, id, state).await;
        pool.execute(raw_sql(UNDO)).await.unwrap();
        until_state(&pool, id, "running").await;
        running.probe.open_gate(1);
        running.until(|counts| counts.completed == 1).await;
        until_state(&pool, id, state).await;
        running.probe.open_gate(1);
        let (counts, again) = running.stop().await;
        assert_eq!((counts.claimed, counts.completed, counts.lease_lost, again), (3, 2, 0, vec![]));
        assert_eq!(states(&pool).await, [(state.to_owned(), 1)], "recorded again with the others");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_that_a_server_crash_undid_is_recorded_again() {
    an_outcome_is_undone(Action::Fail("no".into()), "scheduled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_discard_that_a_server_crash_undid_is_recorded_again() {
    an_outcome_is_undone(Action::Discard, "discarded").await;
}
