//! The database of a measured program.

use std::str::FromStr;

use anyhow::{Context, Result};
use pgq_postgres::{Enqueueable, enqueue_all};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool, raw_sql};

/// What a runner sets on its sessions; the bare SQL gets the same.
const RUNNER_SESSION: [(&str, &str); 6] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_sort", "off"),
    ("jit", "off"),
    ("synchronous_commit", "off"),
];

/// Where it is.
#[derive(Debug, Clone)]
pub(crate) struct Database(PgConnectOptions);

impl Database {
    /// The one at `DATABASE_URL`.
    pub(crate) fn from_env() -> Result<Self> {
        let url = std::env::var("DATABASE_URL").context("DATABASE_URL is not set")?;
        Ok(Self(PgConnectOptions::from_str(&url)?))
    }

    pub(crate) async fn connect(&self) -> Result<PgConnection> {
        Ok(self.0.connect().await?)
    }

    /// A session as a runner has for claims and settles.
    pub(crate) async fn connect_as_runner(&self) -> Result<PgConnection> {
        Ok(self.0.clone().options(RUNNER_SESSION).connect().await?)
    }

    pub(crate) async fn connect_many(&self, sessions: u64) -> Result<Vec<PgConnection>> {
        let mut all = Vec::new();
        for _ in 0..sessions {
            all.push(self.connect().await?);
        }
        Ok(all)
    }

    /// Opens nothing yet.
    pub(crate) fn pool(&self, most: u32) -> PgPool {
        PgPoolOptions::new().max_connections(most).connect_lazy_with(self.0.clone())
    }

    /// Makes the tables and puts these jobs into them, and leaves everything in the state in which every measurement
    /// starts: vacuumed, analysed, and all of it on disk.
    pub(crate) async fn fill<I>(&self, jobs: I) -> Result<()>
    where
        I: IntoIterator<Item: Enqueueable, IntoIter: Send> + Send,
    {
        let mut connection = self.connect().await?;
        pgq_postgres::migrate(&mut connection).await?;
        enqueue_all(&mut connection, jobs).await?;
        settle_down(&mut connection).await?;
        Ok(connection.close().await?)
    }

    /// The tables alone.
    pub(crate) async fn prepare(&self) -> Result<()> {
        self.fill(std::iter::empty::<crate::job::Noop>()).await
    }
}

/// Vacuums, analyses and writes everything to disk.
pub(crate) async fn settle_down(connection: &mut PgConnection) -> Result<()> {
    raw_sql("vacuum analyze").execute(&mut *connection).await?;
    let checkpoint = raw_sql("checkpoint").execute(connection).await;
    checkpoint.context("the benchmarks need a role that may order a checkpoint")?;
    Ok(())
}
