//! The server's settings that figures depend on.

use std::collections::BTreeMap;

use anyhow::Result;
use sqlx::{Connection, PgConnection, query_as};

/// Names and values, as `show` would print them.
pub(crate) type Settings = BTreeMap<String, String>;

pub(crate) async fn settings() -> Result<Settings> {
    let mut connection = PgConnection::connect(&pgq_devdb::url()?).await?;
    let rows: Vec<(String, String)> =
        query_as(include_str!("sql/server_settings.sql")).fetch_all(&mut connection).await?;
    connection.close().await?;
    Ok(rows.into_iter().collect())
}
