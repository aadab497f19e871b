//! Jobs that come one by one at a steady rate, and take a while each.

use std::sync::Arc;

use anyhow::{Context, Result};
use pgq_postgres::Runner;

use super::no_such_side;
use crate::case::{Case, CaseResult, Compared, Flags as CaseFlags};
use crate::database::Database;
use crate::harness::Harness;
use crate::measure::Outcome;
use crate::paced::{Load, Work};
use crate::side::Which;

pub(crate) const NAME: &str = "steady";
pub(crate) const ABOUT: &str = "Jobs come at random moments, so many a second on average. Producers enqueue them, \
    each in a commit of its own, while one runner with default settings runs them: from the return of enqueue, its commit \
    done, to the handler's first line, in one process. The capacity is what the runner completes when the producers go as fast as it begins, and comes first. \
    Floor: bare INSERTs, two sessions that claim as soon as anything is there, of which the producers tell them through \
    memory, and as many handlers at a time as there are jobs. A rate below the one asked for means that enqueueing was \
    held up.";

/// The rate that stands for the workload, in jobs a second.
const RATE: u64 = 1000;

/// For how long, in seconds.
const SECONDS: u64 = 5;

/// Shares of the capacity, in percent.
const SHARES: [u64; 3] = [50, 80, 95];

#[derive(clap::Args)]
pub(crate) struct Flags {
    /// 0 for as fast as they begin.
    #[arg(long)]
    rate: u64,
    #[arg(long)]
    seconds: u64,
    #[arg(long, default_value_t = 5.0)]
    handler_ms: f64,
    #[arg(long, default_value_t = 8)]
    producers: u64,
    /// How many jobs if no rate says it.
    #[arg(long, default_value_t = 1)]
    jobs: u64,
}

pub(crate) async fn run(harness: &mut Harness) -> Result<Vec<CaseResult>> {
    let (options, rate) = (harness.options.clone(), harness.options.rate);
    let seconds = options.seconds.unwrap_or(SECONDS);
    let at = |rate: u64| {
        let flags = CaseFlags::default().with("rate", rate).with("seconds", seconds);
        flags.with("handler-ms", options.handler_ms).with("producers", options.producers)
    };
    let first = rate.unwrap_or(RATE);
    let case = Case::new(NAME, format!("{first}/s"), at(first))?.compared(Compared::Latency);
    let mut results = vec![harness.run(case.with_peers()).await?];
    if rate.is_some() {
        return Ok(results);
    }
    let jobs = options.jobs.unwrap_or(RATE * seconds * 2);
    let case = Case::new(NAME, "capacity", at(0).with("jobs", jobs))?;
    let capacity = harness.run(case).await?;
    let most = capacity.ours().and_then(|ours| ours.median("jobs_per_s")).context("no capacity")?;
    results.push(capacity);
    for share in SHARES {
        let rate = (most * share as f64 / 100.0).max(1.0) as u64;
        let case = Case::new(NAME, format!("{share} % of the capacity"), at(rate))?;
        results.push(harness.run(case.compared(Compared::Latency)).await?);
    }
    Ok(results)
}

pub(crate) async fn side(side: Which, flags: &Flags, database: &Database) -> Result<Outcome> {
    database.prepare().await?;
    let micros = (flags.handler_ms * 1000.0) as u64;
    let load = Load {
        jobs: if flags.rate == 0 { flags.jobs } else { flags.rate * flags.seconds },
        rate: flags.rate,
        producers: flags.producers,
        work: Arc::new(move |_| Work::of(micros)),
    };
    match side {
        Which::Ours => load.ours(database, Runner::empty()).await,
        Which::Floor => load.floor(database).await,
        Which::Copy => no_such_side(),
    }
}
