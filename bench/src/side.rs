//! The measured programs: this very program, as one side of a workload, with the database at `DATABASE_URL`. Started by
//! the harness, or by hand to look at a side alone: `pgq-bench side ours drain --jobs 1000 </dev/null`.

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};

use crate::database::Database;
use crate::gate;
#[cfg(feature = "bincode")]
use crate::workloads::decode;
use crate::workloads::{
    backlog, drain, enqueue_bulk, enqueue_single, many, mixed, pickup, pinned, retries, steady,
    transactional, unique,
};

/// Which side does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Which {
    /// The library.
    Ours,
    /// The bare SQL.
    Floor,
    /// The bare `COPY`, where a workload has it.
    Copy,
}

#[derive(Parser)]
#[command(name = "pgq-bench side")]
struct Arguments {
    #[arg(value_enum)]
    side: Which,
    #[command(subcommand)]
    work: Work,
}

#[derive(Subcommand)]
enum Work {
    EnqueueSingle(enqueue_single::Flags),
    EnqueueBulk(enqueue_bulk::Flags),
    Drain(drain::Flags),
    Pickup(pickup::Flags),
    Steady(steady::Flags),
    Mixed(mixed::Flags),
    Backlog(backlog::Flags),
    Pinned(pinned::Flags),
    Many(many::Flags),
    /// One process of `many`.
    Runner,
    Transactional(transactional::Flags),
    Unique(unique::Flags),
    Retries(retries::Flags),
    #[cfg(feature = "bincode")]
    Decode(decode::Flags),
}

/// Does the work that the command line after `side` asks for.
pub(crate) async fn run(arguments: impl Iterator<Item = String>) -> Result<()> {
    let Arguments { side, work } = Arguments::parse_from(arguments);
    let database = Database::from_env()?;
    let outcome = match &work {
        Work::EnqueueSingle(flags) => enqueue_single::side(side, flags, &database).await?,
        Work::EnqueueBulk(flags) => enqueue_bulk::side(side, flags, &database).await?,
        Work::Drain(flags) => drain::side(side, flags, &database).await?,
        Work::Pickup(flags) => pickup::side(side, flags, &database).await?,
        Work::Steady(flags) => steady::side(side, flags, &database).await?,
        Work::Mixed(flags) => mixed::side(side, flags, &database).await?,
        Work::Backlog(flags) => backlog::side(side, flags, &database).await?,
        Work::Pinned(flags) => pinned::side(side, flags, &database).await?,
        Work::Many(flags) => return many::side(side, flags, &database).await,
        Work::Runner => many::runner(&database).await?,
        Work::Transactional(flags) => transactional::side(side, flags, &database).await?,
        Work::Unique(flags) => unique::side(side, flags, &database).await?,
        #[cfg(feature = "bincode")]
        Work::Decode(flags) => decode::side(side, flags).await?,
        Work::Retries(flags) => retries::side(side, flags, &database).await?,
    };
    gate::close(&outcome.into()).await
}
