//! How fast jobs are run of which every one fails once and waits for nothing.

use anyhow::Result;
use pgq_postgres::{Job, Runner};

use super::no_such_side;
use crate::case::{Case, CaseResult, Flags as CaseFlags};
use crate::database::Database;
use crate::floor::{self, Settle};
use crate::harness::Harness;
use crate::job::{Starts, Timed};
use crate::measure::Outcome;
use crate::ours;
use crate::side::Which;

pub(crate) const NAME: &str = "retries";
pub(crate) const ABOUT: &str = "As drain, of jobs that all fail at their first attempt and are retried after a wait of \
    zero, so each is claimed, run and settled twice; the rate is of jobs, not of attempts. Ours also keeps the error, and \
    promotes what waits. Floor: the bare claim and settle in two sessions, where a settle puts jobs back the first time.";

/// How many jobs a measurement runs.
const JOBS: u64 = 50_000;

#[derive(clap::Args)]
pub(crate) struct Flags {
    #[arg(long)]
    jobs: u64,
}

pub(crate) async fn run(harness: &mut Harness) -> Result<Vec<CaseResult>> {
    let jobs = harness.options.jobs.unwrap_or(JOBS);
    let case = Case::new(NAME, format!("{jobs} jobs"), CaseFlags::default().with("jobs", jobs))?;
    Ok(vec![harness.run(case).await?])
}

pub(crate) async fn side(side: Which, flags: &Flags, database: &Database) -> Result<Outcome> {
    database.fill((0..flags.jobs).map(|n| Timed { n, micros: 0, fails: true })).await?;
    match side {
        Which::Ours => {
            let (starts, _) = Starts::new();
            let runner = Runner::empty().register::<Timed>().state(starts).pool(database.pool(10));
            ours::drain(database, runner, flags.jobs).await
        }
        Which::Floor => {
            let loops = (floor::CLAIMERS, floor::BATCH);
            floor::drain(database, Timed::QUEUE, flags.jobs, loops, Settle::RetryOnce).await
        }
        Which::Copy => no_such_side(),
    }
}
