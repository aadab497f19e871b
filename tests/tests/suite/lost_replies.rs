//! A connection that is lost leaves its last statement in doubt: whether it was performed or not, no job is lost or run
//! twice by it.

use std::time::{Duration, Instant};

use pgq_postgres::{Enqueue, Runner};
use pgq_tests::{Action, Proxy, Ran, Running, Step, count, states, until, with_database};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Executor, query_as};

#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_a_claim_whose_reply_is_lost_run_once_within_10_seconds() {
    with_database(async |db| {
        let pool = db.pool();
        let proxy = Proxy::start(db.url()).await;
        let mut running = Running::start_with(db, |runner| runner.pool(proxy.pool()));
        let lost = proxy.lose_reply("pgq claim", "INSERT 0 1");
        let mut tx = pool.begin().await.unwrap();
        for n in 0..5 {
            Step::succeed(n).enqueue(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
        lost.await.unwrap();
        let since = Instant::now();
        let once: Vec<Ran> = (0..5).map(|n| Ran { n, attempt: 1 }).collect();
        assert_eq!(running.ran_many(5).await, once, "with their attempts unspent");
        println!("started {:?} after the reply was lost", since.elapsed());
        assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
        let (counts, again) = running.stop().await;
        assert_eq!((counts.completed, counts.released, counts.lease_lost), (5, 5, 0));
        assert_eq!(again, [], "none was started twice");
        assert_eq!(states(&pool).await, []);
        assert_eq!(count(&pool, "pgq.failures").await, 0);
    })
    .await;
}

/// Loses the reply to the statement that records the end of a job. What is there after the next try: jobs by state and
/// attempts, and failures.
async fn reply_to_settle_lost(
    action: Action,
    tag: &str,
    settings: fn(Runner) -> Runner,
    (expected, failures): (&[(&str, i16)], i64),
) {
    with_database(async |db| {
        let pool = db.pool();
        let proxy = Proxy::start(db.url()).await;
        let mut running = Running::start_with(db, |runner| settings(runner.pool(proxy.pool())));
        let lost = proxy.lose_reply("pgq settle", tag);
        Step::of(1, action).enqueue(&pool).await.unwrap();
        assert_eq!(running.ran().await, Ran { n: 1, attempt: 1 });
        lost.await.unwrap();
        let (counts, again) = running.stop().await;
        assert_eq!((counts.claimed, counts.lease_lost, again), (1, 0, vec![]));
        assert!(counts.database_errors > 0, "the runner noticed");
        let jobs: Vec<(String, i16)> =
            query_as("select state, attempts from pgq.jobs").fetch_all(&pool).await.unwrap();
        let jobs: Vec<(&str, i16)> = jobs.iter().map(|(state, attempts)| (&**state, *attempts)).collect();
        assert_eq!(jobs, expected);
        assert_eq!(count(&pool, "pgq.failures").await, failures);
        assert_eq!(count(&pool, "pgq.leases").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completion_whose_reply_is_lost_is_recorded_once() {
    reply_to_settle_lost(Action::Succeed, "DELETE 1", |runner| runner, (&[], 0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_completion_whose_reply_is_lost_is_recorded_once() {
    let keep = |runner: Runner| runner.keep_completed(Duration::from_secs(3600));
    reply_to_settle_lost(Action::Succeed, "SELECT 1", keep, (&[("completed", 1)], 0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_whose_reply_is_lost_is_recorded_once() {
    let fail = Action::Fail("no".into());
    reply_to_settle_lost(fail, "SELECT 1", |runner| runner, (&[("scheduled", 1)], 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enqueue_whose_reply_is_lost_is_there_once() {
    with_database(async |db| {
        let proxy = Proxy::start(db.url()).await;
        let options: PgConnectOptions = proxy.url().parse().unwrap();
        let options = options.application_name("producer");
        let through = PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
        let lost = proxy.lose_reply("producer", "INSERT 0 1");
        Step::succeed(1).enqueue(&through).await.unwrap_err();
        lost.await.unwrap();
        let mut running = Running::start(db);
        running.ran().await;
        assert_eq!(running.stop().await.1, []);
        assert_eq!(states(&db.pool()).await, []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_commits_after_its_connection_was_lost_is_given_back() {
    with_database(async |db| {
        let pool = db.pool();
        let proxy = Proxy::start(db.url()).await;
        let mut running = Running::start_with(db, |runner| runner.pool(proxy.pool()));
        let mut lock = pool.begin().await.unwrap();
        lock.execute("lock table pgq.leases in share mode").await.unwrap();
        Step::succeed(1).enqueue(&pool).await.unwrap();
        let waiting = "pg_stat_activity where application_name = 'pgq claim' and wait_event_type = 'Lock' \
                       and datname = current_database()";
        until(async || count(&pool, waiting).await > 0).await;
        // The server does not look at a connection while its session waits for a lock.
        proxy.cut();
        running.until(|counts| counts.database_errors > 0).await;
        lock.commit().await.unwrap();
        let since = Instant::now();
        assert_eq!(running.ran().await, Ran { n: 1, attempt: 1 });
        println!("started {:?} after the claim committed", since.elapsed());
        assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
        let (counts, again) = running.stop().await;
        assert_eq!((counts.completed, counts.lease_lost, again), (1, 0, vec![]));
        assert_eq!(states(&pool).await, []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_break_all_the_time_neither_lose_nor_repeat_a_job() {
    with_database(async |db| {
        let pool = db.pool();
        let proxy = Proxy::start(db.url()).await;
        // A long interval: the runner shall not stop trusting its leases, so nothing has a reason to run twice.
        let patient = Duration::from_secs(10);
        let running = Running::start_with(db, |runner| runner.pool(proxy.pool()).heartbeat_interval(patient));
        let mut steps = 0;
        for pause in [1, 40, 7, 90, 3, 20, 60, 2, 30, 5].repeat(6) {
            let mut tx = pool.begin().await.unwrap();
            for n in steps..steps + 20 {
                let action = if fails_first(n) { Action::FailUntil(2) } else { Action::Succeed };
                Step::of(n, action).retry_waits([Duration::ZERO; 3]).enqueue(&mut *tx).await.unwrap();
            }
            tx.commit().await.unwrap();
            steps += 20;
            running.until(|counts| counts.claimed > 0).await;
            tokio::time::sleep(Duration::from_millis(pause)).await;
            proxy.cut();
        }
        until(async || count(&pool, "pgq.jobs").await == 0).await;
        let (counts, ran) = running.stop().await;
        println!("{counts:?}");
        let attempts = |n| (1..=if fails_first(n) { 2 } else { 1 }).map(move |attempt| Ran { n, attempt });
        assert_eq!(ran, (0..steps).flat_map(attempts).collect::<Vec<_>>());
        assert_eq!(counts.lease_lost, 0);
        assert_eq!(count(&pool, "pgq.leases").await + count(&pool, "pgq.failures").await, 0);
    })
    .await;
}

fn fails_first(n: i64) -> bool {
    n % 3 == 0
}
