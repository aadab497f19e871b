//! The server under test, and the ways to it.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use pgq_devdb::Server;
use pgq_tests::Proxy;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tokio::sync::{Mutex, RwLock};
use tokio::time::{Instant, sleep, timeout};

/// How long the server may take to accept sessions again.
const BACK_PATIENCE: Duration = Duration::from_secs(120);

/// How long a statement of the suite's own may take.
const STATEMENT_PATIENCE: Duration = Duration::from_secs(60);

/// A server of our own, a proxy for each worker, and one for the producers.
#[derive(Debug)]
pub struct Site {
    /// Which server is in use: a failover changes it.
    server: RwLock<Arc<Server>>,
    /// One fault of the server at a time.
    pub crash: Mutex<()>,
    /// Of the workers, then of the producers.
    pub proxies: Vec<Proxy>,
    /// One fault at a time meets each of them.
    pub weather: Vec<Mutex<()>>,
    /// Removed with everything in it.
    pub folder: TempDir,
}

impl Site {
    /// Starts all of it, for that many workers.
    ///
    /// # Errors
    /// If there is no server to be had.
    pub async fn start(workers: usize) -> Result<Self> {
        // The server's user must be able to enter it, also when that is not us.
        let open = Permissions::from_mode(0o755);
        let folder = tempfile::Builder::new().prefix("pgq-faults").permissions(open).tempdir()?;
        let data = folder.path().join("server");
        let server = blocking(move || Server::start_in(&data)).await?;
        let mut proxies = Vec::new();
        for _ in 0..=workers {
            proxies.push(Proxy::start(&server.url()).await);
        }
        let weather = proxies.iter().map(|_| Mutex::new(())).collect();
        let server = RwLock::new(Arc::new(server));
        let site = Self { server, crash: Mutex::new(()), proxies, weather, folder };
        let mut connection = site.connect().await?;
        pgq_postgres::migrate(&mut connection).await?;
        sqlx::raw_sql(include_str!("sql/audit.sql")).execute(&mut connection).await?;
        Ok(site)
    }

    /// The proxy of the producers.
    pub fn producers(&self) -> &Proxy {
        &self.proxies[self.proxies.len() - 1]
    }

    /// The server in use.
    pub async fn server(&self) -> Arc<Server> {
        self.server.read().await.clone()
    }

    /// Uses another server from now on.
    pub async fn switch(&self, server: Server) -> Arc<Server> {
        let port = server.port();
        let old = std::mem::replace(&mut *self.server.write().await, Arc::new(server));
        for proxy in &self.proxies {
            proxy.switch(port);
            proxy.cut();
        }
        old
    }

    /// A session that passes no proxy.
    ///
    /// # Errors
    /// If the server is down.
    pub async fn connect(&self) -> Result<PgConnection> {
        let url = self.server().await.url();
        Ok(timeout(STATEMENT_PATIENCE, PgConnection::connect(&url))
            .await
            .context("the server is silent")??)
    }

    /// The same, waiting for a server that is down to come back.
    ///
    /// # Errors
    /// If it does not.
    pub async fn connect_when_up(&self) -> Result<PgConnection> {
        let deadline = Instant::now() + BACK_PATIENCE;
        loop {
            match self.connect().await {
                Ok(connection) => return Ok(connection),
                Err(error) if Instant::now() > deadline => {
                    return Err(error.context(format!("the server did not come back in {BACK_PATIENCE:?}")));
                }
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// Runs a statement on a session of its own.
    ///
    /// # Errors
    /// If the server is down or refuses it.
    pub async fn execute(&self, statement: &str) -> Result<()> {
        let mut connection = self.connect().await?;
        let statement = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned()));
        match timeout(STATEMENT_PATIENCE, statement.execute(&mut connection)).await {
            Ok(result) => result.map(drop).map_err(Into::into),
            Err(_) => bail!("a statement took longer than {STATEMENT_PATIENCE:?}"),
        }
    }

    /// Ends what faults of the network are left.
    pub fn heal(&self) {
        self.proxies.iter().for_each(Proxy::heal);
    }
}

/// Does something that blocks its thread on one where that does no harm.
///
/// # Errors
/// As what is done.
pub async fn blocking<T: Send + 'static>(
    what: impl FnOnce() -> pgq_devdb::Result<T> + Send + 'static,
) -> Result<T> {
    Ok(tokio::task::spawn_blocking(what).await??)
}
