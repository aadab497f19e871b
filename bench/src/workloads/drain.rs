//! How fast many ready jobs that do nothing are claimed, run and settled.

use anyhow::Result;
use pgq_postgres::{Job, Runner};

use super::no_such_side;
use crate::case::{Case, CaseResult, Flags as CaseFlags};
use crate::database::Database;
use crate::floor::{self, Settle};
use crate::harness::Harness;
use crate::job::{Noop, PAYLOAD_BYTES};
use crate::measure::Outcome;
use crate::ours;
use crate::side::Which;

pub(crate) const NAME: &str = "drain";
pub(crate) const ABOUT: &str = "One runner with default settings claims, runs and settles ready jobs that do nothing, \
    from before its first connection until SQL counts no job and a durable commit after that. Floor: the bare claim and \
    settle in two sessions, in batches as large as the runner's were on average. Both commit with \
    synchronous_commit=off.";

/// How many jobs of 64 bytes a measurement drains: seconds of it, since the runner's start counts. Of larger ones there
/// are fewer.
const JOBS: u64 = 1_000_000;

/// The largest payload that a lease carries; larger ones have a row of their own.
const INLINE_BYTES: u32 = 1024;

/// Sizes of payloads, and the part of the jobs that is measured with each.
const SIZES: [(u32, u64); 3] = [(PAYLOAD_BYTES, 1), (1024, 4), (8192, 20)];

#[derive(clap::Args)]
pub(crate) struct Flags {
    #[arg(long)]
    jobs: u64,
    #[arg(long, default_value_t = PAYLOAD_BYTES)]
    payload_bytes: u32,
    #[arg(long, default_value_t = floor::BATCH)]
    batch: u32,
    #[arg(long)]
    slots: Option<usize>,
}

pub(crate) async fn run(harness: &mut Harness) -> Result<Vec<CaseResult>> {
    let options = &harness.options;
    let jobs = options.jobs.unwrap_or(JOBS);
    let sizes = options.payload_bytes.map_or(SIZES.to_vec(), |bytes| vec![(bytes, 1)]);
    let (batch, slots) = (options.batch, options.slots);
    let mut results = Vec::new();
    for (bytes, part) in sizes {
        let flags = CaseFlags::default().with("jobs", (jobs / part).max(1)).with("payload-bytes", bytes);
        let mut case = Case::new(NAME, format!("{bytes} bytes"), flags)?;
        if let Some(slots) = slots {
            case.sides[0].flags = CaseFlags::default().with("slots", slots);
        }
        match batch {
            Some(batch) => case.sides[1].flags = CaseFlags::default().with("batch", batch),
            None => case.sides[1].takes = Some("batch"),
        }
        results.push(harness.run(case.with_peers()).await?);
    }
    Ok(results)
}

pub(crate) async fn side(side: Which, flags: &Flags, database: &Database) -> Result<Outcome> {
    let job = Noop::of(flags.payload_bytes)?;
    database.fill((0..flags.jobs).map(|_| job.clone())).await?;
    let is_large = flags.payload_bytes > INLINE_BYTES;
    let settle = if is_large { Settle::CompleteLarge } else { Settle::Complete };
    match side {
        Which::Ours => {
            let runner = Runner::empty().register::<Noop>().pool(database.pool(10));
            let runner = match flags.slots {
                Some(slots) => runner.slots(slots),
                None => runner,
            };
            ours::drain(database, runner, flags.jobs).await
        }
        Which::Floor => {
            let loops = (floor::CLAIMERS, flags.batch.max(1));
            floor::drain(database, Noop::QUEUE, flags.jobs, loops, settle).await
        }
        Which::Copy => no_such_side(),
    }
}
