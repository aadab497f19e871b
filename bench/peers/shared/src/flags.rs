//! The command line.

use clap::{Args, Parser, Subcommand};

/// How a peer is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// As it comes.
    Defaults,
    /// As its documentation recommends for speed.
    Tuned,
}

/// What to do.
#[derive(Parser)]
pub(crate) struct Arguments {
    /// Its own defaults; also without this.
    #[arg(long, conflicts_with = "tuned")]
    defaults: bool,
    /// What its documentation recommends for speed.
    #[arg(long)]
    tuned: bool,
    #[command(subcommand)]
    pub(crate) work: Work,
}

impl Arguments {
    pub(crate) fn setting(&self) -> Setting {
        if self.tuned { Setting::Tuned } else { Setting::Defaults }
    }
}

/// A workload.
#[derive(Subcommand)]
pub(crate) enum Work {
    EnqueueSingle(EnqueueSingle),
    EnqueueBulk(EnqueueBulk),
    Drain(Drain),
    Pickup(Pickup),
    Steady(Steady),
}

#[derive(Args)]
pub(crate) struct EnqueueSingle {
    #[arg(long, default_value_t = 1)]
    pub(crate) producers: u64,
    #[arg(long)]
    pub(crate) jobs: u64,
}

#[derive(Args)]
pub(crate) struct EnqueueBulk {
    #[arg(long)]
    pub(crate) jobs: u64,
}

#[derive(Args)]
pub(crate) struct Drain {
    #[arg(long)]
    pub(crate) jobs: u64,
    #[arg(long, default_value_t = 64)]
    pub(crate) payload_bytes: usize,
}

#[derive(Args)]
pub(crate) struct Pickup {
    #[arg(long)]
    pub(crate) jobs: u64,
    #[arg(long, default_value_t = 10)]
    pub(crate) gap_ms: u64,
}

#[derive(Args)]
pub(crate) struct Steady {
    #[arg(long)]
    pub(crate) rate: u64,
    #[arg(long)]
    pub(crate) seconds: u64,
    #[arg(long, default_value_t = 5.0)]
    pub(crate) handler_ms: f64,
    #[arg(long, default_value_t = 8)]
    pub(crate) producers: u64,
}
