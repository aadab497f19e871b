//! The runner, with its default settings.

use anyhow::{Result, ensure};
use pgq_devdb::Database;
use pgq_postgres::{Runner, RunnerCounts};
use sqlx::{Connection, query_scalar};

use crate::job::Noop;
use crate::measure::{Measured, Meter};

/// What one drain by the runner showed.
pub(crate) struct Ours {
    pub(crate) measured: Measured,
    /// How many jobs ran at a time at most.
    pub(crate) slots: i32,
    /// How many jobs a claim took on average.
    pub(crate) batch: i64,
}

/// Lets one runner in this process run all jobs. The clock starts before the runner does.
pub(crate) async fn drain(database: &Database, jobs: i64) -> Result<Ours> {
    let runner = Runner::empty().register::<Noop>().pool(database.pool()).without_signals();
    let handle = runner.handle();
    let mut meter = Meter::start(database, jobs).await?;
    let watch = async {
        // Only a hint when to look: what counts is what SQL says.
        let hint = || clean(handle.counts()).map(|counts| counts.completed >= jobs.unsigned_abs());
        let measured = meter.finish(hint).await;
        let slots = query_scalar(include_str!("sql/slots.sql")).fetch_one(meter.connection()).await;
        handle.stop();
        Ok((measured, slots))
    };
    // A runner fails only at start; then nothing would ever be done.
    let ((measured, slots), ()) = tokio::try_join!(watch, runner.run())?;
    let measured = measured?;
    clean(handle.counts())?;
    meter.close().await?;
    Ok(Ours { measured, slots: slots?, batch: jobs / leases_made(database).await?.max(1) })
}

/// A run in which anything went wrong would measure that.
fn clean(counts: RunnerCounts) -> Result<RunnerCounts> {
    ensure!(counts.database_errors == 0 && counts.lease_lost == 0, "this was no clean run: {counts:?}");
    Ok(counts)
}

async fn leases_made(database: &Database) -> Result<i64> {
    let mut connection = database.connect().await?;
    let leases = query_scalar(include_str!("sql/leases_made.sql")).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(leases)
}
