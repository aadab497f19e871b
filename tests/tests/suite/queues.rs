//! Runners take what is theirs, and leave the rest untouched.

use pgq_postgres::Enqueue;
use pgq_tests::{Action, Ran, Running, Step, states, with_database};
use sqlx::{Executor, query_as, query_scalar};

#[tokio::test]
async fn jobs_of_other_queues_and_unknown_kinds_stay_untouched() {
    with_database(async |db| {
        let pool = db.pool();
        for (n, queue) in [(1, "mine"), (2, "theirs"), (3, "mine")] {
            Step::succeed(n).queue(queue).enqueue(&pool).await.unwrap();
        }
        pool.execute(
            "insert into pgq.ready (queue, kind, priority, version, shape, max_attempts, payload) \
                      values ('mine', 'unheard_of', -9, 1, 0, 4, 'x'), ('mine', 'step', -9, 2, 0, 4, 'x')",
        )
        .await
        .unwrap();
        let mut running = Running::start_with(db, |runner| runner.queues(["mine"]));
        assert_eq!(running.ran_many(2).await, [Ran { n: 1, attempt: 1 }, Ran { n: 3, attempt: 1 }]);
        let (counts, _) = running.stop().await;
        assert_eq!(counts.claimed, 2);
        let left: Vec<(String, String, i16)> =
            query_as("select queue, kind, attempts from pgq.ready order by id")
                .fetch_all(&pool)
                .await
                .unwrap();
        let expected = [("theirs", "step", 0), ("mine", "unheard_of", 0), ("mine", "step", 0)];
        assert_eq!(left, expected.map(|(queue, kind, attempts)| (queue.into(), kind.into(), attempts)));
    })
    .await;
}

#[tokio::test]
async fn separate_runners_serve_separate_queues() {
    with_database(async |db| {
        let pool = db.pool();
        for n in 0..20 {
            let queue = if n % 2 == 0 { "even" } else { "odd" };
            Step::succeed(n).queue(queue).enqueue(&pool).await.unwrap();
        }
        let mut even = Running::start_with(db, |runner| runner.queues(["even"]));
        let mut odd = Running::start_with(db, |runner| runner.queues(["odd"]));
        assert!(even.ran_many(10).await.iter().all(|ran| ran.n % 2 == 0));
        assert!(odd.ran_many(10).await.iter().all(|ran| ran.n % 2 == 1));
        even.stop().await;
        odd.stop().await;
        assert_eq!(states(&pool).await, []);
    })
    .await;
}

#[tokio::test]
async fn a_slow_queue_pauses_on_every_runner_until_a_success() {
    with_database(async |db| {
        let pool = db.pool();
        let pause = "select slow_ms, slow_until > now() from pgq.queues where name = 'step'";
        Step::of(1, Action::SlowQueue).enqueue(&pool).await.unwrap();
        let mut one = Running::start(db);
        one.ran().await;
        one.stop().await;
        let (ms, _): (i32, bool) = query_as(pause).fetch_one(&pool).await.unwrap();
        assert_eq!(ms, 100);
        // A pause that the test ends when it has seen that it holds, here for a runner that did not cause it.
        pool.execute("update pgq.queues set slow_until = now() + interval '1 hour'").await.unwrap();
        Step::of(2, Action::SlowQueue).enqueue(&pool).await.unwrap();
        let mut two = Running::start(db);
        two.until(|_| true).await;
        Step::succeed(9).queue("other").enqueue(&pool).await.unwrap();
        let other = Running::start_with(db, |runner| runner.queues(["other", "step"]));
        other.until(|counts| counts.completed == 1).await;
        other.stop().await;
        assert_eq!(two.handle.counts().claimed, 0, "nothing is claimed from a queue that pauses");
        pool.execute("update pgq.queues set slow_until = now()").await.unwrap();
        assert_eq!(two.ran().await.n, 2);
        two.until(|counts| counts.retried == 1).await;
        two.stop().await;
        let (ms, _): (i32, bool) = query_as(pause).fetch_one(&pool).await.unwrap();
        assert_eq!(ms, 200, "the second pause is twice as long");
        Step::succeed(3).enqueue(&pool).await.unwrap();
        let mut three = Running::start(db);
        assert_eq!(three.ran().await.n, 3);
        three.stop().await;
        let slow: i32 = query_scalar("select slow_ms from pgq.queues").fetch_one(&pool).await.unwrap();
        assert_eq!(slow, 0, "a success resets it");
    })
    .await;
}
