//! What the tests share: a database for each, jobs that report what happens to them, and runners that a test
//! starts and stops.

mod jobs;
mod running;

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

pub use jobs::{Action, Probe, Ran, Step};
use pgq_devdb::Database;
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

/// Shows the log of a test that fails; `RUST_LOG` says how much of it.
pub fn log() {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    // Set by the first test of the process.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
}

/// A test that waits for what never comes fails instead of hanging.
async fn bounded(test: impl Future<Output = ()>) {
    log();
    let limit = std::time::Duration::from_secs(60);
    tokio::time::timeout(limit, test).await.expect("the test waited for 60 seconds");
}

fn fingerprint() -> String {
    let mut hasher = DefaultHasher::new();
    include_str!("../../migrations/0001_initial.sql").hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
