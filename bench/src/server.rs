//! The server: its settings that figures depend on, and what it has done.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail};
use sqlx::{Connection, PgConnection, query_as, query_scalar};
use tokio::time::{Instant, sleep};

use crate::usage;

/// Names and values, as `show` would print them.
pub(crate) type Settings = BTreeMap<String, String>;

/// How long sessions may take to end after their programs have closed them.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is asked whether they have.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// A session beside those that are measured, in another database.
pub(crate) struct Server {
    connection: PgConnection,
    backend: i32,
    pub(crate) settings: Settings,
}

/// What the server has done so far. The processor's time and the WAL are those of the whole server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Done {
    pub(crate) cpu: Option<Duration>,
    pub(crate) wal_bytes: i64,
}

impl Server {
    pub(crate) async fn connect() -> Result<Self> {
        let mut connection = PgConnection::connect(&pgq_devdb::url()?).await?;
        let rows: Vec<(String, String)> =
            query_as(include_str!("sql/server_settings.sql")).fetch_all(&mut connection).await?;
        let backend = query_scalar(include_str!("sql/backend.sql")).fetch_one(&mut connection).await?;
        Ok(Self { connection, backend, settings: rows.into_iter().collect() })
    }

    pub(crate) async fn done(&mut self) -> Result<Done> {
        let wal_bytes =
            query_scalar(include_str!("sql/wal_position.sql")).fetch_one(&mut self.connection).await?;
        Ok(Done { cpu: usage::of_server(self.backend), wal_bytes })
    }

    /// How many transactions that database has seen. Exact once all its sessions have ended, which this waits for: a
    /// session tells what it did when it is idle for a while or ends.
    pub(crate) async fn commits(&mut self, database: &str) -> Result<i64> {
        let deadline = Instant::now() + PATIENCE;
        while self.sessions(database).await? > 0 {
            if Instant::now() > deadline {
                bail!("somebody is still connected to {database}");
            }
            sleep(LOOK_INTERVAL).await;
        }
        self.commits_told(database).await
    }

    /// The same without the wait, so without what living sessions have not told yet.
    pub(crate) async fn commits_told(&mut self, database: &str) -> Result<i64> {
        let commits = query_scalar(include_str!("sql/commits.sql")).bind(database);
        Ok(commits.fetch_one(&mut self.connection).await?)
    }

    async fn sessions(&mut self, database: &str) -> Result<i64> {
        let sessions = query_scalar(include_str!("sql/sessions.sql")).bind(database);
        Ok(sessions.fetch_one(&mut self.connection).await?)
    }
}
