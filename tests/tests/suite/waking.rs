//! Polling is what makes it correct, notifications make it fast.

use std::time::{Duration, Instant};

use pgq_postgres::Enqueue;
use pgq_tests::{Proxy, Running, Step, count, setting, until, until_asleep, with_database};
use sqlx::query_scalar;

/// Far longer than the tests may take: what runs before was woken.
const NEVER: Duration = Duration::from_secs(600);

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_sleeping_runner_is_woken_by_an_enqueue() {
    with_database(async |db| {
        let pool = db.pool();
        let mut running = Running::start_with(db, |runner| runner.poll_interval(NEVER));
        until_asleep(&pool, 1).await;
        for n in 0..20 {
            let enqueued = Instant::now();
            Step::succeed(n).enqueue(&pool).await.unwrap();
            assert_eq!(running.ran().await.n, n);
            assert!(enqueued.elapsed() < NEVER / 100);
        }
        running.stop().await;
        assert_eq!(count(&pool, "pgq.sleepers").await, 0, "a stopped runner is not notified any more");
    })
    .await;
}

#[tokio::test]
async fn a_sleeping_runner_is_woken_for_a_nearer_time() {
    with_database(async |db| {
        let pool = db.pool();
        Step::succeed(1).after(NEVER).enqueue(&pool).await.unwrap();
        let mut running = Running::start_with(db, |runner| runner.poll_interval(NEVER));
        until_asleep(&pool, 1).await;
        let due = Duration::from_millis(200);
        let enqueued = Instant::now();
        Step::succeed(2).after(due).enqueue(&pool).await.unwrap();
        assert_eq!(running.ran().await.n, 2);
        assert!(enqueued.elapsed() >= due);
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn everything_works_by_polling_alone() {
    with_database(async |db| {
        let pool = db.pool();
        let interval = Duration::from_millis(50);
        let mut running = Running::start_with(db, |runner| runner.without_notify().poll_interval(interval));
        running.until(|_| true).await;
        for n in 0..5 {
            Step::succeed(n).enqueue(&pool).await.unwrap();
            assert_eq!(running.ran().await.n, n);
        }
        assert_eq!(count(&pool, "pgq.sleepers").await, 0, "nobody notifies one that does not listen");
        running.stop().await;
    })
    .await;
}

/// It is there again soon each time, and then looks for what it missed. No poll helps.
#[tokio::test]
async fn a_listener_that_is_killed_100_times_delays_no_job() {
    with_database(async |db| {
        let pool = db.pool();
        let mut running = Running::start_with(db, |runner| runner.poll_interval(NEVER));
        let kill = "select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'pgq listen' \
                    and query like 'LISTEN%' and state = 'idle' and datname = current_database()";
        let mut longest = Duration::ZERO;
        for n in 0..100 {
            until(async || query_scalar::<_, i64>(kill).fetch_one(&pool).await.unwrap() > 0).await;
            let enqueued = Instant::now();
            Step::succeed(n).enqueue(&pool).await.unwrap();
            assert_eq!(running.ran().await.n, n);
            let took = enqueued.elapsed();
            assert!(took < Duration::from_secs(5), "after kill {n} it took {took:?}");
            longest = longest.max(took);
        }
        running.stop().await;
        println!("the longest took {longest:?}");
    })
    .await;
}

#[tokio::test]
async fn a_runner_with_more_than_it_can_take_takes_its_mark_back() {
    with_database(async |db| {
        let pool = db.pool();
        let mut running = Running::start_with(db, |runner| runner.slots(1).poll_interval(NEVER));
        until_asleep(&pool, 1).await;
        sqlx::raw_sql(
            "create table awoken (); \
             create function note() returns trigger language plpgsql security definer as \
             $$ begin insert into awoken default values; return null; end $$; \
             create trigger note after update on pgq.sleepers for each row when (not new.asleep) \
             execute function note()",
        )
        .execute(&pool)
        .await
        .unwrap();
        // Far more than one claim takes.
        let mut tx = pool.begin().await.unwrap();
        Step::succeed(1).enqueue(&mut *tx).await.unwrap();
        sqlx::raw_sql(
            "insert into pgq.ready (shape, priority, version, max_attempts, queue, kind, payload) \
             select shape, priority, version, max_attempts, queue, kind, payload \
             from pgq.ready, generate_series(1, 5000)",
        )
        .execute(&mut *tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
        running.ran().await;
        until(async || count(&pool, "awoken").await > 0).await;
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_runner_that_is_woken_for_a_job_behind_its_floor_finds_it_soon() {
    with_database(async |db| {
        let pool = db.pool();
        let mut running = Running::start_with(db, |runner| runner.poll_interval(NEVER));
        until_asleep(&pool, 1).await;
        for round in 0..3 {
            // The floor rises behind claims that are some time apart.
            for n in 0..3 {
                Step::succeed(n).enqueue(&pool).await.unwrap();
                running.ran().await;
                tokio::time::sleep(Duration::from_millis(150)).await;
            }
            Step::succeed(4).enqueue(&pool).await.unwrap();
            running.ran().await;
            // A look from the start was just made, so that the next begins at the floor.
            let enqueued = Instant::now();
            Step::succeed(5).priority(-1).enqueue(&pool).await.unwrap();
            running.ran().await;
            println!("round {round}: ran after {:?}", enqueued.elapsed());
            assert!(enqueued.elapsed() < NEVER / 100);
        }
        running.stop().await;
    })
    .await;
}

/// Waits until the wake that begins with listening is over: the claimer has polled well after it, and sleeps.
async fn until_quiet(pool: &sqlx::PgPool) {
    let polled = "pg_stat_activity c join pg_stat_activity l using (datname) \
                  where datname = current_database() and l.application_name = 'pgq listen' \
                  and c.application_name = 'pgq claim' and c.state = 'idle' and c.query like '%Promotes up to%' \
                  and c.query_start > l.state_change + interval '500 ms'";
    until(async || count(pool, polled).await > 0).await;
}

/// Waits until the runner has done what it does at its start and then once a minute.
async fn until_maintained(pool: &sqlx::PgPool) {
    // The look for unserved kinds comes last, but for that at the clock, with which metrics follow.
    let looked = "pg_stat_activity where application_name = 'pgq maintain' and state = 'idle' \
                  and (query like '%that no living runner reads%' or query like '%the database''s clock says%') \
                  and datname = current_database()";
    until(async || count(pool, looked).await > 0).await;
}

#[tokio::test]
async fn an_idle_runner_of_20_queues_costs_at_most_2_statements_a_second() {
    with_database(async |db| {
        let pool = db.pool();
        let proxy = Proxy::start(db.url()).await;
        let queues: Vec<String> = (1..20).map(|n| format!("queue_{n}")).chain(["step".into()]).collect();
        let running =
            Running::start_on(&proxy.pool(), |runner| runner.queues(queues).prune_interval(24 * 60 * MINUTE));
        until_asleep(&pool, 1).await;
        until_maintained(&pool).await;
        until_quiet(&pool).await;
        let seconds = setting("PGQ_IDLE_SECONDS", 10);
        proxy.take_statements();
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let of_parts = proxy.take_statements();
        let statements: u64 = of_parts.values().sum();
        println!("{statements} statements in {seconds} s: {of_parts:?}");
        running.stop().await;
        // Ten polls, five heartbeats, two looks at leases, one at schedules and a sample of two statements; at the edges of
        // these seconds there may be one more of each but the sample.
        assert!(statements <= 2 * seconds + 4, "{statements} in {seconds} s: {of_parts:?}");
        assert!(statements >= seconds / 2, "heartbeats and polls at least go through the proxy");
    })
    .await;
}
