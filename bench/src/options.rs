//! What the person who runs the benchmarks chooses.

use std::path::PathBuf;

use clap::{Parser, value_parser};

use crate::workloads::Workload;

/// Benchmarks of pgq, each beside the bare SQL that does the least possible for the same work.
#[derive(Parser, Debug, Clone)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
pub(crate) struct Options {
    /// What to run; all that are quick unless given.
    #[arg(value_enum, value_name = "WORKLOAD")]
    pub(crate) workloads: Vec<Workload>,
    /// How often every side is measured, in turns.
    #[arg(long, default_value_t = 3, value_parser = value_parser!(u32).range(1..=1000))]
    pub(crate) rounds: u32,
    /// How many jobs a measurement has, instead of the workload's own number.
    #[arg(long, value_parser = value_parser!(u64).range(1..=1_000_000_000))]
    pub(crate) jobs: Option<u64>,
    /// Print one JSON object a workload instead of tables.
    #[arg(long)]
    pub(crate) json: bool,
    /// Build other job libraries, and measure them in the same turns where they know the workload.
    #[arg(long)]
    pub(crate) peers: bool,
    /// Measure only ours, without the bare SQL and what else it would be compared with.
    #[arg(long, conflicts_with = "peers")]
    pub(crate) alone: bool,
    /// Where the report and its charts go.
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,

    /// drain: how many jobs a claim of the bare SQL takes; as many as the runner's took on average unless given.
    #[arg(long, value_parser = value_parser!(u32).range(1..))]
    pub(crate) batch: Option<u32>,
    /// drain: only this size of payload.
    #[arg(long, value_parser = value_parser!(u32).range(16..=1_000_000))]
    pub(crate) payload_bytes: Option<u32>,
    /// drain: how many slots the runner has, instead of its default.
    #[arg(long, value_parser = value_parser!(u32).range(1..))]
    pub(crate) slots: Option<u32>,
    /// pickup: how long the runner is idle before each job, in milliseconds.
    #[arg(long, default_value_t = 10)]
    pub(crate) gap_ms: u64,
    /// steady, mixed, pinned: jobs enqueued in a second, each in a commit of its own; for steady only this rate.
    #[arg(long, value_parser = value_parser!(u64).range(1..=100_000))]
    pub(crate) rate: Option<u64>,
    /// steady, mixed, pinned: for how long, in seconds.
    #[arg(long, value_parser = value_parser!(u64).range(1..=86_400))]
    pub(crate) seconds: Option<u64>,
    /// steady: how long each handler takes, in milliseconds.
    #[arg(long, default_value_t = 5.0)]
    pub(crate) handler_ms: f64,
    /// steady, mixed, pinned: how many producers enqueue.
    #[arg(long, default_value_t = 8, value_parser = value_parser!(u64).range(1..=64))]
    pub(crate) producers: u64,
    /// backlog: how many jobs are scheduled for later.
    #[arg(long, default_value_t = 10_000_000)]
    pub(crate) scheduled: u64,
    /// backlog: how many jobs have finished and were kept.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) finished: u64,
}
