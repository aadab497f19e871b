//! Claim and settle in a loop, with nothing run in between.

use anyhow::Result;
use sqlx::{Connection, PgConnection, query, query_scalar};
use uuid::Uuid;

use super::claim::{Lease, claim};
use crate::database::Database;
use crate::measure::{Meter, Outcome, outcome};

/// What becomes of a lease.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Settle {
    /// It goes.
    Complete,
    /// It goes, and so do its bodies, which lie in a table of their own and are read first.
    CompleteLarge,
    /// Its jobs go back once, and are gone the second time.
    RetryOnce,
}

/// Lets `claimers` loops take all jobs of a queue. The clock starts before they connect.
pub(crate) async fn drain(
    database: &Database,
    queue: &'static str,
    jobs: u64,
    (claimers, batch): (u64, u32),
    settle: Settle,
) -> Result<Outcome> {
    let mut meter = Meter::start(database, jobs).await?;
    let claimers =
        (0..claimers).map(|_| tokio::spawn(claim_and_settle(database.clone(), queue, batch, settle)));
    // All of them are started before the first is waited for.
    for claimer in claimers.collect::<Vec<_>>() {
        claimer.await??;
    }
    let time = meter.finish(|| Ok(true)).await?;
    meter.close().await?;
    let mut outcome = outcome(jobs, time);
    outcome.insert("batch".into(), batch.into());
    Ok(outcome)
}

async fn claim_and_settle(database: Database, queue: &str, batch: u32, settle: Settle) -> Result<()> {
    let mut connection = database.connect_as_runner().await?;
    let runner = Uuid::new_v4();
    while let Some(lease) = claim(&mut connection, queue, batch, runner).await? {
        if let Settle::CompleteLarge = settle {
            bodies(&mut connection, &lease).await?;
        }
        let statement = match settle {
            Settle::Complete => include_str!("../sql/floor_settle.sql"),
            Settle::CompleteLarge => include_str!("../sql/floor_settle_large.sql"),
            Settle::RetryOnce => include_str!("../sql/floor_retry.sql"),
        };
        query(statement).bind(runner).bind(lease.id).execute(&mut connection).await?;
    }
    Ok(connection.close().await?)
}

async fn bodies(connection: &mut PgConnection, lease: &Lease) -> Result<Vec<Vec<u8>>> {
    let bodies = query_scalar(include_str!("../sql/floor_bodies.sql")).bind(&lease.ids);
    Ok(bodies.fetch_all(connection).await?)
}
