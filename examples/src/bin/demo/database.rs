//! A database for one run.

use std::str::FromStr;

use anyhow::{Context, Result};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgPool, raw_sql};

/// A database of its own on the server, with pgq's tables and the demo's in it.
pub(crate) struct DemoDatabase {
    name: String,
    server: PgConnectOptions,
    own: PgConnectOptions,
    pub(crate) pool: PgPool,
}

impl DemoDatabase {
    pub(crate) async fn create() -> Result<Self> {
        // Starting a server takes a while, and not one of the runtime's threads.
        let url = tokio::task::spawn_blocking(pgq_devdb::url).await?.context("cannot get a Postgres")?;
        let server = PgConnectOptions::from_str(&url).context("DATABASE_URL is not a postgres:// address")?;
        let name = format!("pgq_demo_{}", uuid::Uuid::new_v4().simple());
        on(&server, format!("create database {name}"))
            .await
            .context("cannot create a database: is the server up, and may this role create databases?")?;
        let own = server.clone().database(&name);
        let database = Self { pool: PgPool::connect_lazy_with(own.clone()), name, server, own };
        match database.prepare().await {
            Ok(()) => Ok(database),
            Err(error) => {
                database.remove().await?;
                Err(error)
            }
        }
    }

    async fn prepare(&self) -> Result<()> {
        pgq_postgres::migrate(&self.pool).await?;
        raw_sql(include_str!("sql/tables.sql")).execute(&self.pool).await?;
        Ok(())
    }

    pub(crate) async fn remove(self) -> Result<()> {
        self.pool.close().await;
        let drop = format!("drop database if exists {} with (force)", self.name);
        on(&self.server, drop).await.with_context(|| format!("cannot drop the database {}", self.name))
    }

    /// Leaves it there, and says where.
    pub(crate) async fn keep(self) -> String {
        self.pool.close().await;
        let mut url = self.own.to_url_lossy();
        // A setting of the driver that psql would not accept.
        let settings: Vec<_> =
            url.query_pairs().into_owned().filter(|(name, _)| name != "statement-cache-capacity").collect();
        url.query_pairs_mut().clear().extend_pairs(settings);
        url.to_string()
    }
}

async fn on(server: &PgConnectOptions, statement: String) -> Result<()> {
    let mut connection = server.connect().await?;
    // The only thing in it that is not a constant is a uuid.
    raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}
