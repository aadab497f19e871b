//! What the tests share: a database for each, jobs that report what happens to them, and runners that a test
//! starts and stops.

mod jobs;
mod pgbouncer;
mod proxy;
mod running;

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

pub use jobs::{Action, Effect, Probe, Ran, Step};
pub use pgbouncer::PgBouncer;
use pgq_devdb::Database;
use pgq_postgres::JobId;
pub use proxy::Proxy;
pub use running::Running;
use sqlx::{Connection, PgConnection, PgPool};

/// Runs a test with a migrated database of its own.
pub async fn with_database(test: impl AsyncFnOnce(&Database)) {
    let migrate = async |url: &str| -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let mut connection = PgConnection::connect(url).await?;
        pgq_postgres::migrate(&mut connection).await?;
        Ok(connection.close().await?)
    };
    pgq_devdb::test_database(&fingerprint(), migrate, async |db| bounded(test(db)).await).await;
}

/// Runs a test with an empty database of its own.
pub async fn with_empty_database(test: impl AsyncFnOnce(&Database)) {
    let nothing = async |_: &str| Ok::<(), sqlx::Error>(());
    pgq_devdb::test_database("empty", nothing, async |db| bounded(test(db)).await).await;
}

/// How many rows a query counts.
pub async fn count(pool: &PgPool, what: &'static str) -> i64 {
    let query = format!("select count(*) from {what}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(pool).await.unwrap()
}

/// The states that jobs are in, with their number, ordered by state.
pub async fn states(pool: &PgPool) -> Vec<(String, i64)> {
    let query = "select state, count(*) from pgq.jobs group by state order by state";
    sqlx::query_as(query).fetch_all(pool).await.unwrap()
}

/// Where a job is, how many attempts it has spent, and why it ended; none once it is gone.
pub async fn job(pool: &PgPool, id: impl Into<JobId>) -> Option<(String, i16, Option<String>)> {
    let query = "select state, attempts, reason from pgq.jobs where id = $1";
    sqlx::query_as(query).bind(id.into().0).fetch_optional(pool).await.unwrap()
}

/// Waits until that holds. Looks every 2 ms: of most that tests wait for, the server gives no signal. A test has its limit of
/// time from [`with_database`].
pub async fn until(mut holds: impl AsyncFnMut() -> bool) {
    while !holds().await {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
}

/// Waits until that job is in that state.
pub async fn until_state(pool: &PgPool, id: impl Into<JobId>, state: &str) {
    let id = id.into();
    until(async || job(pool, id).await.is_some_and(|(now, ..)| now == state)).await;
}

/// Waits until so many sessions of this database wait for a lock.
pub async fn until_locked(pool: &PgPool, sessions: i64) {
    const LOCKED: &str = "pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
    until(async || count(pool, LOCKED).await >= sessions).await;
}

/// Waits until as many runners sleep, and listen for what wakes them.
pub async fn until_asleep(pool: &PgPool, runners: i64) {
    let listening = "pg_stat_activity where application_name = 'pgq listen' and query like 'LISTEN%' \
                     and state = 'idle' and datname = current_database()";
    let sleeping = "(select distinct runner_id from pgq.sleepers where asleep) s";
    until(async || count(pool, sleeping).await >= runners && count(pool, listening).await >= runners).await;
}

/// A statement that takes ready jobs for which `condition` holds into a lease each, of the runner that `runner` says.
pub fn lease_each(condition: &str, runner: &str) -> String {
    format!(
        "with claimed as (delete from pgq.ready where {condition} returning *) \
         insert into pgq.leases (id, runner_id, shape, priority, version, crashes, queue, kind, ids, \
                                 enqueued_ats, attempts, max_attempts, payloads, options, run_ats) \
         select gen_random_uuid(), {runner}, shape, priority, version, crashes, queue, kind, array[id], \
                array[enqueued_at], array[attempts], array[max_attempts], array[payload], array[options], array[run_at] from claimed"
    )
}

/// Shows the log of a test that fails; `RUST_LOG` says how much of it.
pub fn log() {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    // Set by the first test of the process.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
}

/// How long or how often a test tries, from the environment.
///
/// # Panics
/// If it is set to something else than a number.
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

/// A test that waits for what never comes fails instead of hanging.
async fn bounded(test: impl Future<Output = ()>) {
    log();
    let limit = setting("PGQ_TEST_SECONDS", 240);
    let ended = tokio::time::timeout(std::time::Duration::from_secs(limit), test).await;
    assert!(ended.is_ok(), "the test waited for {limit} seconds");
}

fn fingerprint() -> String {
    let mut hasher = DefaultHasher::new();
    include_str!("../../migrations/0001_initial.sql").hash(&mut hasher);
    // With the grants it is another one.
    if std::env::var_os("PGQ_TEST_ROLES").is_some() {
        include_str!("../../migrations/grants.sql").hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}
