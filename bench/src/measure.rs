//! What is measured, and how: always by what SQL says, never by what handlers count.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use pgq_devdb::Database;
use sqlx::{Connection, PgConnection, query, query_scalar};
use tokio::time::sleep;

/// How often the database is asked whether all is done, once it may be.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);

/// One measurement of one side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) jobs_per_s: f64,
    pub(crate) wal_bytes_per_job: f64,
}

/// Measures from its start to the moment at which the database holds no job any more, durably.
pub(crate) struct Meter {
    connection: PgConnection,
    jobs: i64,
    wal_before: i64,
    started: Instant,
}

impl Meter {
    /// Starts the clock of a database that holds so many jobs.
    pub(crate) async fn start(database: &Database, jobs: i64) -> Result<Self> {
        let mut connection = database.connect().await?;
        let found = left(&mut connection).await?;
        ensure!(found == jobs, "the database holds {found} jobs instead of {jobs}");
        let wal_before = wal_position(&mut connection).await?;
        Ok(Self { connection, jobs, wal_before, started: Instant::now() })
    }

    /// Waits until no job is left, as `maybe_done` suggests, and everything is on disk. Its failure ends the wait.
    pub(crate) async fn finish(&mut self, maybe_done: impl Fn() -> Result<bool>) -> Result<Measured> {
        while !maybe_done()? || self.is_leased().await? || left(&mut self.connection).await? > 0 {
            sleep(LOOK_INTERVAL).await;
        }
        query(include_str!("sql/durable.sql")).execute(&mut self.connection).await?;
        let seconds = self.started.elapsed().as_secs_f64();
        let wal_bytes = wal_position(&mut self.connection).await? - self.wal_before;
        let jobs = self.jobs as f64;
        Ok(Measured { jobs_per_s: jobs / seconds, wal_bytes_per_job: wal_bytes as f64 / jobs })
    }

    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    pub(crate) async fn close(self) -> Result<()> {
        Ok(self.connection.close().await?)
    }

    async fn is_leased(&mut self) -> Result<bool> {
        Ok(query_scalar(include_str!("sql/leased.sql")).fetch_one(&mut self.connection).await?)
    }
}

async fn left(connection: &mut PgConnection) -> Result<i64> {
    Ok(query_scalar(include_str!("sql/left.sql")).fetch_one(connection).await?)
}

async fn wal_position(connection: &mut PgConnection) -> Result<i64> {
    Ok(query_scalar(include_str!("sql/wal_position.sql")).fetch_one(connection).await?)
}
