//! When a measurement begins and ends: always by what SQL says, never by what handlers count.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use pgq_postgres::{RunnerCounts, RunnerHandle};
use serde_json::{Map, Value, json};
use sqlx::{Connection, PgConnection, query, query_scalar};
use tokio::time::sleep;

use crate::database::Database;
use crate::gate;

/// How often the database is asked whether all is done, once it may be.
const LOOK_INTERVAL: Duration = Duration::from_millis(2);

/// What a measured program says in the end.
pub(crate) type Outcome = Map<String, Value>;

/// The outcome of so many jobs in that time.
pub(crate) fn outcome(jobs: u64, time: Duration) -> Outcome {
    let rate = jobs as f64 / time.as_secs_f64();
    Outcome::from_iter([("jobs".into(), json!(jobs)), ("jobs_per_s".into(), json!(rate))])
}

/// Measures from its start to the moment at which the database holds no job any more, durably.
pub(crate) struct Meter {
    connection: PgConnection,
    started: Instant,
}

impl Meter {
    /// Starts the clock of a database that holds so many jobs, once it may.
    pub(crate) async fn start(database: &Database, jobs: u64) -> Result<Self> {
        let mut connection = database.connect().await?;
        let found = left(&mut connection).await?;
        ensure!(found == jobs, "the database holds {found} jobs instead of {jobs}");
        query(include_str!("sql/by_index.sql")).execute(&mut connection).await?;
        gate::open().await?;
        Ok(Self { connection, started: Instant::now() })
    }

    /// Waits until no job is left, as `maybe_done` suggests, and everything is on disk; the time that it took. Its
    /// failure ends the wait.
    pub(crate) async fn finish(&mut self, maybe_done: impl Fn() -> Result<bool>) -> Result<Duration> {
        while !maybe_done()? || self.is_anything_there().await? || left(&mut self.connection).await? > 0 {
            sleep(LOOK_INTERVAL).await;
        }
        durable(&mut self.connection).await?;
        Ok(self.started.elapsed())
    }

    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    pub(crate) async fn close(self) -> Result<()> {
        Ok(self.connection.close().await?)
    }

    async fn is_anything_there(&mut self) -> Result<bool> {
        Ok(query_scalar(include_str!("sql/anything.sql")).fetch_one(&mut self.connection).await?)
    }
}

/// Jobs that are there and not yet done. Those that a workload keeps aside are not among them.
pub(crate) async fn left(connection: &mut PgConnection) -> Result<u64> {
    let left: i64 = query_scalar(include_str!("sql/left.sql")).fetch_one(connection).await?;
    Ok(u64::try_from(left)?)
}

/// Puts every commit before it on disk.
pub(crate) async fn durable(connection: &mut PgConnection) -> Result<()> {
    query(include_str!("sql/durable.sql")).execute(connection).await?;
    Ok(())
}

/// Whether that many jobs have completed, by the runner's word: only a hint when to look. A run in which anything
/// went wrong is an error, since it would measure that.
pub(crate) fn completed(handle: &RunnerHandle, jobs: u64) -> Result<bool> {
    let counts: RunnerCounts = handle.counts();
    let is_clean = counts.database_errors == 0 && counts.lease_lost == 0 && counts.discarded == 0;
    ensure!(is_clean, "this was no clean run: {counts:?}");
    Ok(counts.completed >= jobs)
}
