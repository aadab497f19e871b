//! A paused queue rests on every runner until it is resumed.

use std::time::{Duration, Instant};

use pgq_postgres::{Admin, Enqueue, Error};
use pgq_tests::{Action, Ran, Running, Step, until_asleep, with_database};
use sqlx::query_scalar;

/// Longer than a test may take: what happens before was not a poll's doing.
const NEVER: Duration = Duration::from_secs(600);

#[tokio::test]
async fn no_runner_claims_from_a_paused_queue_and_other_queues_go_on() {
    with_database(async |db| {
        let pool = db.pool();
        let admin = Admin::new(&pool);
        let start = || Running::start_with(db, |runner| runner.queues(["rests", "works"]).slots(2));
        let (mut one, mut two) = (start(), start());
        // Runs when the queue is paused, and goes on.
        Step::of(1, Action::Gate).queue("rests").enqueue(&pool).await.unwrap();
        tokio::select! { _ = one.ran() => {} _ = two.ran() => {} }
        admin.pause("rests").await.unwrap();
        for n in 2..6 {
            Step::succeed(n).queue("rests").enqueue(&pool).await.unwrap();
        }
        // More than one runner has slots for: both claim, and both claims could have seen the paused queue.
        for n in 6..10 {
            Step::of(n, Action::Gate).queue("works").enqueue(&pool).await.unwrap();
        }
        one.until(|counts| counts.claimed == 2 && two.handle.counts().claimed == 2).await;
        one.probe.open_gate(4);
        two.probe.open_gate(4);
        one.until(|counts| counts.completed + two.handle.counts().completed == 5).await;
        let waiting: i64 =
            query_scalar("select count(*) from pgq.ready where queue = 'rests' and attempts = 0")
                .fetch_one(&pool)
                .await
                .unwrap();
        assert_eq!(waiting, 4, "nothing was claimed from the paused queue");
        admin.resume("rests").await.unwrap();
        one.until(|counts| counts.completed + two.handle.counts().completed == 9).await;
        let ((_, mut ran), (_, more)) = (one.stop().await, two.stop().await);
        ran.extend(more);
        ran.retain(|ran| (2..6).contains(&ran.n));
        ran.sort_unstable();
        assert_eq!(ran, (2..6).map(|n| Ran { n, attempt: 1 }).collect::<Vec<_>>(), "each ran once");
    })
    .await;
}

#[tokio::test]
async fn resume_wakes_a_sleeping_runner_within_a_second() {
    with_database(async |db| {
        let pool = db.pool();
        let admin = Admin::new(&pool);
        let mut running = Running::start_with(db, |runner| runner.poll_interval(NEVER));
        for n in 0..5 {
            admin.pause("step").await.unwrap();
            Step::succeed(n).enqueue(&pool).await.unwrap();
            until_asleep(&pool, 1).await;
            assert_eq!(running.handle.counts().claimed, u64::try_from(n).unwrap());
            let resumed = Instant::now();
            admin.resume("step").await.unwrap();
            assert_eq!(running.ran().await.n, n);
            let took = resumed.elapsed();
            println!("ran {took:?} after the resume");
            assert!(took < Duration::from_secs(1), "{took:?}");
        }
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn pausing_and_resuming_twice_is_doing_it_once() {
    with_database(async |db| {
        let pool = db.pool();
        let admin = Admin::new(&pool);
        admin.resume("step").await.unwrap(); // where there is no pause
        admin.pause("step").await.unwrap();
        let since = "select paused_at::text from pgq.queues where name = 'step'";
        let first: Option<String> = query_scalar(since).fetch_one(&pool).await.unwrap();
        admin.pause("step").await.unwrap();
        let second: Option<String> = query_scalar(since).fetch_one(&pool).await.unwrap();
        assert!(first.is_some() && first == second, "paused since the first time: {first:?}, {second:?}");
        admin.resume("step").await.unwrap();
        admin.resume("step").await.unwrap();
        let after: Option<String> = query_scalar(since).fetch_one(&pool).await.unwrap();
        assert_eq!(after, None);
        for name in ["", "a b", "!cancel"] {
            assert!(matches!(admin.pause(name).await, Err(Error::Name(_))), "{name:?}");
            assert!(matches!(admin.resume(name).await, Err(Error::Name(_))), "{name:?}");
        }
    })
    .await;
}
