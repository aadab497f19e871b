//! The bare SQL: a loop of claim and settle, in as many sessions as the design was measured with.

use std::str::FromStr;

use anyhow::Result;
use pgq_devdb::Database;
use pgq_postgres::Job;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, query, query_as};
use uuid::Uuid;

use crate::job::Noop;
use crate::measure::{Measured, Meter};

/// How many sessions claim at once.
pub(crate) const CLAIMERS: usize = 2;

/// What a runner sets on its sessions.
const SESSION: [(&str, &str); 6] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_sort", "off"),
    ("jit", "off"),
    ("synchronous_commit", "off"),
];

/// Lets the loops take all jobs, in claims of `batch`. The clock starts before they connect.
pub(crate) async fn drain(database: &Database, jobs: i64, batch: i64) -> Result<Measured> {
    let options = PgConnectOptions::from_str(database.url())?.options(SESSION);
    let mut meter = Meter::start(database, jobs).await?;
    let loops: Vec<_> =
        (0..CLAIMERS).map(|_| tokio::spawn(claim_and_settle(options.clone(), batch))).collect();
    for claimer in loops {
        claimer.await??;
    }
    let measured = meter.finish(|| Ok(true)).await?;
    meter.close().await?;
    Ok(measured)
}

async fn claim_and_settle(options: PgConnectOptions, batch: i64) -> Result<()> {
    let mut connection = options.connect().await?;
    let runner = Uuid::new_v4();
    while let Some(lease) = claim(&mut connection, batch, runner).await? {
        query(include_str!("sql/floor_settle.sql")).bind(runner).bind(lease).execute(&mut connection).await?;
    }
    Ok(connection.close().await?)
}

/// What a runner needs of a lease, decoded as the runner has to.
type Lease = (Uuid, Vec<i64>, Vec<String>, Vec<i16>, Vec<Option<Vec<u8>>>);

async fn claim(connection: &mut PgConnection, batch: i64, runner: Uuid) -> Result<Option<Uuid>> {
    let lease: Option<Lease> = query_as(include_str!("sql/floor_claim.sql"))
        .bind(Noop::QUEUE)
        .bind(batch)
        .bind(runner)
        .fetch_optional(connection)
        .await?;
    Ok(lease.map(|(id, ..)| id))
}
