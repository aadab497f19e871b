//! The runner, in a measured program.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use pgq_postgres::{Runner, RunnerHandle};
use serde_json::json;
use sqlx::{Connection, query_scalar};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::database::Database;
use crate::measure::{self, Meter, Outcome, outcome};

/// How long runners may take to go to sleep, and how often it is asked whether they have.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// A runner that runs.
pub(crate) struct Running {
    handle: RunnerHandle,
    running: JoinHandle<Result<(), pgq_postgres::Error>>,
}

impl Running {
    pub(crate) fn start(runner: Runner) -> Self {
        let runner = runner.without_signals();
        Self { handle: runner.handle(), running: tokio::spawn(runner.run()) }
    }

    /// Whether so many jobs have completed, by the runner's word. Anything that should not have happened is an error.
    pub(crate) fn completed(&self, jobs: u64) -> Result<bool> {
        if self.running.is_finished() {
            bail!("the runner has ended");
        }
        measure::completed(&self.handle, jobs)
    }

    pub(crate) fn handle(&self) -> &RunnerHandle {
        &self.handle
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.handle.stop();
        self.running.await??;
        // Whatever went wrong up to the end.
        measure::completed(&self.handle, 0).map(drop)
    }
}

/// Lets one runner run so many jobs, which are in the database already. The clock starts before the runner does.
pub(crate) async fn drain(database: &Database, runner: Runner, jobs: u64) -> Result<Outcome> {
    let before = leases_made(database).await?;
    let mut meter = Meter::start(database, jobs).await?;
    let running = Running::start(runner);
    let time = meter.finish(|| running.completed(jobs)).await?;
    let slots: i32 = query_scalar(include_str!("sql/slots.sql")).fetch_one(meter.connection()).await?;
    meter.close().await?;
    running.stop().await?;
    let leases = leases_made(database).await? - before;
    let mut outcome = outcome(jobs, time);
    outcome.insert("slots".into(), json!(slots));
    outcome.insert("batch".into(), json!(jobs / u64::try_from(leases)?.max(1)));
    Ok(outcome)
}

/// Waits until so many runners sleep.
pub(crate) async fn asleep(database: &Database, runners: u64) -> Result<()> {
    let mut connection = database.connect().await?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let asleep: i64 = query_scalar(include_str!("sql/asleep.sql")).fetch_one(&mut connection).await?;
        if u64::try_from(asleep)? >= runners {
            return Ok(connection.close().await?);
        }
        ensure!(Instant::now() < deadline, "only {asleep} of {runners} runners have gone to sleep");
        sleep(LOOK_INTERVAL).await;
    }
}

async fn leases_made(database: &Database) -> Result<i64> {
    let mut connection = database.connect().await?;
    let leases = query_scalar(include_str!("sql/leases_made.sql")).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(leases)
}
