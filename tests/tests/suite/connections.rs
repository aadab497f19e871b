//! Whatever a database does to its sessions costs a job no attempt, and when it is over the jobs are done.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use pgq_devdb::{Database, Server};
use pgq_postgres::{Enqueue, RunnerCounts, migrate};
use pgq_tests::{Action, Ran, Running, Step, count, states, until, with_database};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool, Postgres, Transaction};

/// Long: what these tests do to a session shall not stop a runner from trusting its leases.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Runs a test with a server of its own.
async fn with_server(test: impl AsyncFnOnce(&Server, &PgPool)) {
    pgq_tests::log();
    let folder = tempfile::tempdir().unwrap();
    let server = blocking(|| Server::start_in(folder.path()));
    let pool = PgPoolOptions::new().max_connections(2).connect(&server.url()).await.unwrap();
    migrate(&pool).await.unwrap();
    tokio::time::timeout(Duration::from_secs(60), test(&server, &pool)).await.unwrap();
}

/// Starting and stopping servers holds the thread.
fn blocking<T>(call: impl FnOnce() -> Result<T, pgq_devdb::Error>) -> T {
    tokio::task::block_in_place(call).unwrap()
}

/// A pool of the test's whose sessions are not subject to what is set on the database, nor wait for a slow disk.
async fn spared(db: &Database, setting: &str, value: &str) -> PgPool {
    let options: PgConnectOptions = db.url().parse().unwrap();
    let options = options.options([(setting, value), ("synchronous_commit", "off")]);
    PgPoolOptions::new().connect_with(options).await.unwrap()
}

async fn enqueue(pool: &PgPool, steps: Range<i64>) {
    let mut tx = pool.begin().await.unwrap();
    for n in steps {
        Step::succeed(n).enqueue(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// Locks a table, and enqueues a hundred jobs meanwhile if that does not need it.
async fn locked(pool: &PgPool, table: &str, enqueued: &mut i64) -> Transaction<'static, Postgres> {
    let mut tx = pool.begin().await.unwrap();
    let lock = format!("lock table pgq.{table} in access exclusive mode");
    tx.execute(AssertSqlSafe(lock)).await.unwrap();
    if table != "ready" {
        enqueue(pool, *enqueued..*enqueued + 100).await;
        *enqueued += 100;
    }
    tx
}

/// Ends the runners' sessions, so that they have to be opened anew.
async fn end_sessions(pool: &PgPool) {
    pool.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity \
         where application_name like 'pgq %' and datname = current_database()",
    )
    .await
    .unwrap();
}

async fn alter(pool: &PgPool, db: &Database, what: &str) {
    let alter = format!("alter database {} {what}", db.name());
    pool.execute(AssertSqlSafe(alter)).await.unwrap();
}

/// Waits until the runner has survived that many failures more.
async fn failures(running: &Running, more: u64) {
    let before = running.handle.counts().database_errors;
    running.until(|counts| counts.database_errors >= before + more).await;
}

/// Waits for the end of all steps, and stops: each was performed once, in its first attempt.
async fn performed_once(pool: &PgPool, running: Vec<Running>, steps: i64) -> Vec<RunnerCounts> {
    let wanted = u64::try_from(steps).unwrap();
    let completed = || running.iter().map(|running| running.handle.counts().completed).sum::<u64>();
    running[0].until(|_| completed() >= wanted).await;
    let mut counts = Vec::new();
    let mut performed = BTreeMap::new();
    for running in running {
        let (of_one, ran) = running.stop().await;
        counts.push(of_one);
        ran.into_iter().for_each(|ran| *performed.entry(ran).or_insert(0) += 1);
    }
    let once: BTreeMap<Ran, i32> = (0..steps).map(|n| (Ran { n, attempt: 1 }, 1)).collect();
    assert_eq!(performed, once);
    assert_eq!(states(pool).await, []);
    assert_eq!(count(pool, "pgq.leases").await + count(pool, "pgq.failures").await, 0);
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_server_costs_no_attempt() {
    with_server(async |server, pool| {
        let running = Running::start_on(pool, |runner| runner.heartbeat_interval(HEARTBEAT).slots(2));
        enqueue(pool, 0..1000).await;
        running.until(|counts| counts.completed > 0).await;
        blocking(|| server.restart());
        enqueue(pool, 1000..1100).await;
        let counts = performed_once(pool, vec![running], 1100).await;
        assert!(counts[0].database_errors > 0, "the runner noticed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_all_taken_cost_no_attempt() {
    with_server(async |server, pool| {
        pool.execute("alter system set max_connections = 20").await.unwrap();
        blocking(|| server.restart());
        let running = Running::start_on(pool, |runner| runner.heartbeat_interval(HEARTBEAT));
        enqueue(pool, 0..100).await;
        running.until(|counts| counts.completed > 0).await;
        let mut takers = Vec::new();
        // Each of the runner's sessions that ends makes room for one that is not the runner's.
        while count(pool, "pg_stat_activity where application_name like 'pgq %'").await > 0 {
            end_sessions(pool).await;
            while let Ok(taker) = PgConnection::connect(&server.url()).await {
                takers.push(taker);
            }
        }
        failures(&running, 5).await;
        drop(takers);
        enqueue(pool, 100..200).await;
        performed_once(pool, vec![running], 200).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_timeout_that_nothing_meets_costs_no_attempt() {
    with_database(async |db| {
        let pool = spared(db, "statement_timeout", "0").await;
        let running = Running::start_with(db, |runner| runner.heartbeat_interval(HEARTBEAT));
        enqueue(&pool, 0..100).await;
        running.until(|counts| counts.completed > 0).await;
        alter(&pool, db, "set statement_timeout = '1ms'").await;
        end_sessions(&pool).await;
        enqueue(&pool, 100..1000).await;
        failures(&running, 3).await;
        alter(&pool, db, "reset statement_timeout").await;
        end_sessions(&pool).await;
        performed_once(&pool, vec![running], 1000).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_somebody_locks_cost_no_attempt() {
    with_database(async |db| {
        let pool = db.pool();
        let often = Duration::from_millis(500);
        let running = Running::start_with(db, |runner| runner.heartbeat_interval(often).poll_interval(often));
        let mut enqueued = 0;
        for table in ["leases", "queues", "ready", "runners", "scheduled"] {
            let tx = locked(&pool, table, &mut enqueued).await;
            until(async || count(&pool, WAITING).await > 0).await;
            tx.commit().await.unwrap();
        }
        let counts = performed_once(&pool, vec![running], enqueued).await;
        assert_eq!(counts[0].database_errors, 0, "it waits");
    })
    .await;
}

/// The runners' sessions that wait for a lock.
const WAITING: &str = "pg_stat_activity where application_name like 'pgq %' and wait_event_type = 'Lock' \
                       and datname = current_database()";

#[tokio::test(flavor = "multi_thread")]
async fn locks_that_a_lock_timeout_does_not_wait_for_cost_no_attempt() {
    with_database(async |db| {
        let pool = spared(db, "lock_timeout", "0").await;
        alter(&pool, db, "set lock_timeout = '20ms'").await;
        let often = Duration::from_millis(20);
        let running =
            Running::start_with(db, |runner| runner.heartbeat_interval(HEARTBEAT).poll_interval(often));
        Step::of(0, Action::Gate).enqueue(&pool).await.unwrap();
        running.until(|counts| counts.claimed == 1).await;
        let mut enqueued = 1;
        for table in ["leases", "scheduled", "queues", "ready"] {
            let tx = locked(&pool, table, &mut enqueued).await;
            // What ends meanwhile cannot be recorded.
            running.probe.open_gate(1);
            failures(&running, 3).await;
            tx.commit().await.unwrap();
        }
        performed_once(&pool, vec![running], enqueued).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadlock_costs_no_attempt() {
    with_database(async |db| {
        // Of two that wait for each other, the one that waits for less long gives up: the runner.
        let pool = spared(db, "deadlock_timeout", "1h").await;
        alter(&pool, db, "set deadlock_timeout = '1ms'").await;
        // Claim and settle stop twice while they hold a row, each table at locks of its own.
        pool.execute(
            "create function stop_twice() returns trigger language plpgsql as $$ begin \
             perform pg_advisory_xact_lock(tg_relid::integer, 1), pg_advisory_xact_lock(tg_relid::integer, 2); \
             return old; end $$",
        )
        .await
        .unwrap();
        for table in ["ready", "leases"] {
            let trigger = format!(
                "create trigger stop_twice before delete on pgq.{table} \
                 for each row execute function stop_twice()"
            );
            pool.execute(AssertSqlSafe(trigger)).await.unwrap();
        }
        let running = Running::start_with(db, |runner| runner.heartbeat_interval(HEARTBEAT));
        for (n, table) in (0..).zip(["ready", "leases"]) {
            let [mut first, mut second] = [pool.begin().await.unwrap(), pool.begin().await.unwrap()];
            for (tx, which) in [(&mut first, 1), (&mut second, 2)] {
                let lock = format!("select pg_advisory_xact_lock('pgq.{table}'::regclass::oid::integer, {which})");
                tx.execute(AssertSqlSafe(lock)).await.unwrap();
            }
            enqueue(&pool, n..n + 1).await;
            until(async || count(&pool, WAITING).await > 0).await;
            let rows = format!("select from pgq.{table} for update");
            let (rows, ()) = tokio::join!(second.execute(AssertSqlSafe(rows)), async {
                until(async || count(&pool, OTHERS_WAITING).await > 0).await;
                // The runner goes on to the lock of the one that waits for its row.
                first.rollback().await.unwrap();
            });
            rows.unwrap();
            second.rollback().await.unwrap();
        }
        let counts = performed_once(&pool, vec![running], 2).await;
        assert!(counts[0].database_errors >= 2, "the runner noticed: {counts:?}");
        until(async || count(&pool, "pg_stat_database where datname = current_database() and deadlocks = 2").await > 0).await;
    })
    .await;
}

/// The test's sessions that wait for a lock.
const OTHERS_WAITING: &str = "pg_stat_activity where application_name not like 'pgq %' \
                              and wait_event_type = 'Lock' and datname = current_database()";

#[tokio::test(flavor = "multi_thread")]
async fn two_serializable_runners_share_2000_jobs_and_perform_each_once() {
    with_database(async |db| {
        let pool = spared(db, "default_transaction_isolation", "read committed").await;
        alter(&pool, db, "set default_transaction_isolation = 'serializable'").await;
        let start = || Running::start_with(db, |runner| runner.heartbeat_interval(HEARTBEAT));
        let running = vec![start(), start()];
        // As many as both have slots for, so that both must take part.
        for n in 0..40 {
            Step::of(n, Action::Gate).enqueue(&pool).await.unwrap();
        }
        running[0].until(|counts| counts.claimed + running[1].handle.counts().claimed == 40).await;
        for n in (40..2000).step_by(40) {
            enqueue(&pool, n..n + 40).await;
        }
        running.iter().for_each(|running| running.probe.open_gate(20));
        performed_once(&pool, running, 2000).await;
    })
    .await;
}
