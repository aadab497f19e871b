//! A fresh database for each measurement.

use std::fs;

use anyhow::{Context, Result};
use pgq_devdb::{Database, Template};
use pgq_postgres::{Job, encode};
use sqlx::{Connection, PgConnection, query, raw_sql};

use crate::job::Noop;

/// A database with nothing but pgq's tables, from which the others are cloned.
pub(crate) async fn template() -> Result<Template> {
    let migrate = async |url: &str| -> Result<()> {
        let mut connection = PgConnection::connect(url).await?;
        pgq_postgres::migrate(&mut connection).await?;
        Ok(())
    };
    Template::prepare(&format!("bench {}", migrations()?), migrate)
        .await
        .context("cannot prepare a database: is the server up, and may this role create databases?")
}

/// The text of all migrations: the template is made anew when they change.
fn migrations() -> Result<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations");
    let mut paths =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, std::io::Error>>()?;
    paths.sort();
    Ok(paths.iter().map(fs::read_to_string).collect::<Result<_, _>>()?)
}

/// A database with so many jobs ready, in the state in which every measurement starts: vacuumed, analysed, and
/// all of it on disk.
pub(crate) async fn filled(template: &Template, jobs: i64) -> Result<Database> {
    let database = Database::create(template).await?;
    let mut connection = database.connect().await?;
    query(include_str!("sql/fill.sql"))
        .bind(Noop::QUEUE)
        .bind(Noop::KIND)
        .bind(Noop::PRIORITY)
        .bind(Noop::VERSION)
        .bind(Noop::SHAPE)
        .bind(Noop::MAX_ATTEMPTS)
        .bind(encode(&Noop::new())?)
        .bind(jobs)
        .execute(&mut connection)
        .await?;
    raw_sql("vacuum analyze").execute(&mut connection).await?;
    let checkpoint = raw_sql("checkpoint").execute(&mut connection).await;
    checkpoint.context("the benchmarks need a role that may order a checkpoint")?;
    connection.close().await?;
    Ok(database)
}
