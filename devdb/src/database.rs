//! A database of its own for one test.

use std::sync::OnceLock;

use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, PgConnection, PgPool};

use crate::admin::{Admin, failed};
use crate::error::Error;
use crate::template::Template;

/// The most connections that a database's pool opens.
const POOL_CONNECTIONS: u32 = 10;

/// A database that nobody else knows of.
///
/// It is not dropped with this value, as that takes a conversation with the server: call
/// [`Database::remove`], or let [`test_database`](crate::test_database) do it.
#[derive(Debug)]
pub struct Database {
    name: String,
    url: String,
    pool: OnceLock<PgPool>,
}

impl Database {
    /// Clones `template`.
    ///
    /// # Errors
    ///
    /// If the server refuses.
    pub async fn create(template: &Template) -> Result<Database, Error> {
        let server = server_url()?;
        let mut admin = Admin::connect(server).await?;
        let name = admin.fresh_name("pgq_test_").await?;
        admin.create(&name, template.name()).await?;
        admin.close().await?;
        Ok(Database { url: replace_database(server, &name)?, name, pool: OnceLock::new() })
    }

    /// Its URL, to connect to in any way.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its name on the server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A pool of at most ten connections, the same at every call.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, or if `DATABASE_URL` is not a URL that sqlx understands.
    #[must_use]
    #[track_caller]
    pub fn pool(&self) -> PgPool {
        let make = || PgPoolOptions::new().max_connections(POOL_CONNECTIONS).connect_lazy(&self.url);
        self.pool.get_or_init(|| make().expect("the URL led to the server before")).clone()
    }

    /// A connection outside the pool.
    ///
    /// # Errors
    ///
    /// If the server refuses.
    pub async fn connect(&self) -> Result<PgConnection, Error> {
        PgConnection::connect(&self.url).await.map_err(failed("connect to a test's database"))
    }

    /// Drops the database, and with it everybody who is still connected.
    ///
    /// # Errors
    ///
    /// If the server refuses.
    pub async fn remove(self) -> Result<(), Error> {
        let mut admin = Admin::connect(server_url()?).await?;
        admin.drop(&self.name).await?;
        admin.close().await
    }
}

/// The server's URL, looked up once: a test process uses one server only.
pub(crate) fn server_url() -> Result<&'static str, Error> {
    static URL: OnceLock<String> = OnceLock::new();
    if let Some(url) = URL.get() {
        return Ok(url);
    }
    let url = crate::url()?;
    Ok(URL.get_or_init(|| url))
}

/// `url` with another database in it.
pub(crate) fn replace_database(url: &str, database: &str) -> Result<String, Error> {
    let (scheme, rest) = url.split_once("://").ok_or(Error::Url)?;
    let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
    let authority = place.split('/').next().unwrap_or(place);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Ok(format!("{scheme}://{authority}/{database}{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_keeps_everything_but_its_database() {
        for (url, expected) in [
            ("postgres://u:p@h:1/old", "postgres://u:p@h:1/new"),
            ("postgres://h", "postgres://h/new"),
            ("postgres:///old?host=/run/x", "postgres:///new?host=/run/x"),
            ("postgres://h/?sslmode=require", "postgres://h/new?sslmode=require"),
        ] {
            assert_eq!(replace_database(url, "new").unwrap(), expected);
        }
        assert!(replace_database("host=localhost", "new").is_err());
    }
}
