use std::time::Duration;

use pgq_postgres::admin::Admin;
use pgq_postgres::{Schedules, Schema};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, PgPool};

use crate::arguments::Globals;
use crate::failure::Failure;

/// How long to wait for the database.
const PATIENCE: Duration = Duration::from_secs(10);

/// A database that answers, and the schema in it.
pub(crate) struct Database {
    pub(crate) pool: PgPool,
    pub(crate) schema: Schema,
    pub(crate) admin: Admin,
    actor: Option<String>,
}

impl Database {
    /// Connects, whatever is in the schema.
    pub(crate) async fn connect(globals: &Globals) -> Result<Self, Failure> {
        let schema = Schema::new(&globals.schema).map_err(|error| Failure::usage(error.to_string()))?;
        let options = options(globals.database_url.as_deref())?;
        let pool = PgPoolOptions::new().max_connections(4).acquire_timeout(PATIENCE);
        let pool = pool.connect_with(options.clone()).await.map_err(|error| unreachable(&options, &error))?;
        let admin = Admin::new(&pool).schema(&schema);
        let admin = match &globals.actor {
            Some(actor) => admin.actor(actor),
            None => admin,
        };
        Ok(Self { pool, schema, admin, actor: globals.actor.clone() })
    }

    /// Connects to a database with our tables.
    pub(crate) async fn migrated(globals: &Globals) -> Result<Self, Failure> {
        let database = Self::connect(globals).await?;
        database.admin.check().await?;
        Ok(database)
    }

    pub(crate) fn schedules(&self) -> Schedules {
        let schedules = Schedules::new(&self.pool).schema(&self.schema);
        match &self.actor {
            Some(actor) => schedules.actor(actor),
            None => schedules,
        }
    }
}

fn options(url: Option<&str>) -> Result<PgConnectOptions, Failure> {
    let Some(url) = url.filter(|url| !url.is_empty()) else {
        return Err(Failure::usage(
            "no database: set DATABASE_URL or give --database-url, for example postgres://user:password@localhost/app",
        ));
    };
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(Failure::usage("the database's URL must begin with postgres://"));
    }
    let options: PgConnectOptions =
        url.parse().map_err(|error| Failure::usage(format!("the database's URL cannot be read: {error}")))?;
    // What a pooler in transaction mode would refuse or mix up: doctor is to tell of it.
    let options = options.extra_float_digits(None).statement_cache_capacity(0);
    Ok(options.application_name("pgq cli").disable_statement_logging())
}

fn unreachable(options: &PgConnectOptions, error: &sqlx::Error) -> Failure {
    let place = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    let hint = match error {
        sqlx::Error::Tls(_) => "; it asks for TLS: build pgq with the feature `tls`",
        sqlx::Error::Database(_) => "",
        _ => "; is it running, and is that its address?",
    };
    Failure::failed(format!("the database on {place} cannot be reached: {error}{hint}"))
}
