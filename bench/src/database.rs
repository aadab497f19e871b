//! A fresh database for each measurement.

use anyhow::{Context, Result};
use pgq_devdb::{Database, Template};
use pgq_postgres::{Job, Shape, encode};
use sqlx::{Connection, query, raw_sql};

use crate::job::Noop;

/// An empty database, from which the others are cloned. It has no tables: those of one build of this program might
/// not be those of the next.
pub(crate) async fn template() -> Result<Template> {
    Template::prepare("bench", async |_: &str| anyhow::Ok(()))
        .await
        .context("cannot prepare a database: is the server up, and may this role create databases?")
}

/// A database with so many jobs ready, in the state in which every measurement starts: vacuumed, analysed, and
/// all of it on disk.
pub(crate) async fn filled(template: &Template, jobs: i64) -> Result<Database> {
    let database = Database::create(template).await?;
    let mut connection = database.connect().await?;
    pgq_postgres::migrate(&mut connection).await?;
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
