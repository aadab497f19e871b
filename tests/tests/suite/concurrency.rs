//! How many jobs run at a time, and that those which must wait do not hold up others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pgq_postgres::{Admin, Cancelled, Context, Enqueue, Job, JobResult, Perform, Runner, enqueue_all};
use pgq_tests::{Action, Ran, Running, Step, count, states, until, until_asleep, with_database};
use sqlx::PgPool;
use tokio::sync::Barrier;

/// Notes how many run at a time, by queue and in all.
#[derive(Job)]
#[job(state = Crowds)]
struct Crowded {
    millis: u64,
}

#[derive(Clone, Default)]
struct Crowds {
    by_queue: Arc<Mutex<HashMap<String, Crowd>>>,
    together: Option<Arc<Barrier>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Crowd {
    now: usize,
    most: usize,
    done: usize,
}

impl Crowds {
    fn enter(&self, queue: &str) {
        let mut crowds = self.by_queue.lock().unwrap();
        let crowd = crowds.entry(queue.to_owned()).or_default();
        crowd.now += 1;
        crowd.most = crowd.most.max(crowd.now);
    }

    fn leave(&self, queue: &str) {
        let mut crowds = self.by_queue.lock().unwrap();
        let crowd = crowds.get_mut(queue).unwrap();
        crowd.now -= 1;
        crowd.done += 1;
    }

    fn of(&self, queue: &str) -> Crowd {
        self.by_queue.lock().unwrap().get(queue).copied().unwrap_or_default()
    }
}

impl Perform for Crowded {
    async fn perform(&self, ctx: &Context<Crowds>) -> JobResult {
        ctx.state().enter(ctx.queue());
        if let Some(together) = &ctx.state().together {
            together.wait().await;
        }
        tokio::time::sleep(Duration::from_millis(self.millis)).await;
        ctx.state().leave(ctx.queue());
        Ok(())
    }
}

async fn enqueue(pool: &PgPool, queue: &str, jobs: usize, millis: u64) {
    let mut tx = pool.begin().await.unwrap();
    for _ in 0..jobs {
        Crowded { millis }.queue(queue).enqueue(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limited_queue_never_runs_more_than_its_limit_while_others_use_the_other_slots() {
    with_database(async |db| {
        let pool = db.pool();
        enqueue(&pool, "narrow", 100, 3).await;
        enqueue(&pool, "wide", 300, 3).await;
        let crowds = Crowds::default();
        let runner = Runner::empty().register::<Crowded>().state(crowds.clone()).pool(pool.clone());
        let runner = runner.queues(["narrow", "wide"]).queue_limit("narrow", 2).slots(10).without_signals();
        let handle = runner.handle();
        let running = tokio::spawn(runner.run());
        until(async || handle.counts().completed >= 400).await;
        handle.stop();
        running.await.unwrap().unwrap();
        let (narrow, wide) = (crowds.of("narrow"), crowds.of("wide"));
        println!("narrow: {narrow:?}, wide: {wide:?}");
        assert_eq!((narrow.most, narrow.done), (2, 100), "two, and never more");
        assert!(wide.most >= 8 && wide.done == 300, "the others have at least the rest: {wide:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_becomes_free_is_filled_at_once() {
    with_database(async |db| {
        let pool = db.pool();
        // Each waits until two run: were a place not filled, nobody would go on.
        let together = Some(Arc::new(Barrier::new(2)));
        let crowds = Crowds { together, ..Crowds::default() };
        enqueue(&pool, "narrow", 200, 0).await;
        let runner = Runner::empty().register::<Crowded>().state(crowds.clone()).pool(pool.clone());
        // No poll helps: only the end of a job can be what fills its place.
        let runner =
            runner.queues(["narrow"]).queue_limit("narrow", 2).poll_interval(Duration::from_secs(600));
        let handle = runner.handle();
        let started = std::time::Instant::now();
        let running = tokio::spawn(runner.without_signals().run());
        until(async || handle.counts().completed >= 200).await;
        println!("100 pairs in {:?}", started.elapsed());
        handle.stop();
        running.await.unwrap().unwrap();
        assert_eq!(crowds.of("narrow").most, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_jobs_do_not_hold_up_quick_ones_of_their_queue() {
    with_database(async |db| {
        let pool = db.pool();
        let mut tx = pool.begin().await.unwrap();
        for n in 0..503 {
            // The slow ones are spread, so that some come after quick ones were measured.
            let action = if n % 200 == 50 { Action::Gate } else { Action::Succeed };
            Step::of(n, action).enqueue(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
        let running = Running::start_with(db, |runner| runner.slots(4));
        running.until(|counts| counts.completed == 500).await;
        // The slow ones are still held, and nothing else is left.
        until(async || states(&pool).await == [("running".to_owned(), 3)]).await;
        running.probe.open_gate(3);
        let (counts, ran) = running.stop().await;
        assert_eq!(counts.completed, 503);
        assert_eq!(ran, (0..503).map(|n| Ran { n, attempt: 1 }).collect::<Vec<_>>(), "each once");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_wait_for_a_slot_in_vain_go_back_for_another_runner() {
    with_database(async |db| {
        let pool = db.pool();
        let mut greedy = Running::start_with(db, |runner| runner.slots(2));
        // Quick ones teach it to prefetch.
        let mut tx = pool.begin().await.unwrap();
        for n in 0..300 {
            Step::succeed(n).enqueue(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
        greedy.ran_many(300).await;
        greedy.until(|counts| counts.completed == 300).await;
        let mut tx = pool.begin().await.unwrap();
        for n in 1000..1020 {
            Step::of(n, Action::Gate).enqueue(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
        greedy.until(|counts| counts.claimed > 302).await;
        let mut other = Running::start(db);
        let mut ran = greedy.ran_many(2).await;
        ran.extend(other.ran_many(18).await);
        ran.sort_unstable();
        assert_eq!(
            ran,
            (1000..1020).map(|n| Ran { n, attempt: 1 }).collect::<Vec<_>>(),
            "none spent an attempt"
        );
        assert!(greedy.handle.counts().released > 0, "it had taken more than it could run");
        greedy.probe.open_gate(2);
        other.probe.open_gate(18);
        let ((one, _), (two, _)) = (greedy.stop().await, other.stop().await);
        assert_eq!((one.completed, two.completed), (302, 18));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn far_more_jobs_than_slots_that_panic_hang_or_block_leave_every_slot_free() {
    with_database(async |db| {
        let pool = db.pool();
        let mut tx = pool.begin().await.unwrap();
        let limit = Duration::from_millis(5);
        for n in 0..200 {
            let of = |action| Step::of(n, action).retry_waits([]);
            of(Action::Panic).enqueue(&mut *tx).await.unwrap();
            if n % 5 == 0 {
                of(Action::Hang).timeout(limit).enqueue(&mut *tx).await.unwrap();
                of(Action::Block(2 * limit)).timeout(limit).enqueue(&mut *tx).await.unwrap();
            }
        }
        tx.commit().await.unwrap();
        let mut running = Running::start_with(db, |runner| runner.slots(4).cancel_grace(limit));
        running.ran_many(280).await;
        for n in 0..20 {
            let id = Step::of(n, Action::Hang).enqueue(&pool).await.unwrap();
            running.ran().await;
            assert_eq!(Admin::new(&pool).cancel(id).await.unwrap(), Cancelled::Running);
        }
        until(async || count(&pool, "pgq.leased").await == 0).await;
        for n in 1000..1008 {
            Step::of(n, Action::Gate).enqueue(&pool).await.unwrap();
        }
        let ran = |n: i64| Ran { n, attempt: 1 };
        assert_eq!(
            running.ran_many(4).await,
            (1000..1004).map(ran).collect::<Vec<_>>(),
            "at once, on all slots"
        );
        running.probe.open_gate(8);
        assert_eq!(running.ran_many(4).await, (1004..1008).map(ran).collect::<Vec<_>>());
        let (counts, rest) = running.stop().await;
        // One that blocks ends late, and well.
        assert_eq!((counts.discarded, counts.completed, rest), (240, 48, vec![]));
    })
    .await;
}

/// Performs a backlog by so many runners, that know of each other; how many of them had a second session that claims.
async fn second_sessions(pool: &PgPool, db: &pgq_devdb::Database, runners: usize) -> i64 {
    const JOBS: i64 = 20_000;
    let often = Duration::from_millis(500);
    let running: Vec<_> =
        (0..runners).map(|_| Running::start_with(db, |runner| runner.heartbeat_interval(often))).collect();
    until_asleep(pool, runners as i64).await;
    let told = "pgq.runners where heartbeat_at > (select max(started_at) from pgq.runners)";
    until(async || count(pool, told).await >= runners as i64).await;
    enqueue_all(pool, (0..JOBS).map(Step::succeed)).await.unwrap();
    until(async || states(pool).await.iter().all(|(state, _)| state == "completed")).await;
    let second = "pg_stat_activity where application_name = 'pgq claim 2' and datname = current_database()";
    let sessions = count(pool, second).await;
    let mut completed = 0;
    for running in running {
        completed += running.stop().await.0.completed;
    }
    assert_eq!(completed, JOBS as u64);
    sessions
}

#[tokio::test]
async fn a_runner_alone_claims_on_two_sessions_and_each_of_three_on_one() {
    with_database(async |db| {
        let pool = db.pool();
        assert_eq!(second_sessions(&pool, db, 1).await, 1);
        assert_eq!(second_sessions(&pool, db, 3).await, 0);
    })
    .await;
}
