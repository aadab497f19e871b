//! What the benchmarked peers have in common: the command line, the steps, the clocks and the figures, which are those of
//! our own side. Each peer only says how it enqueues and how it runs.
//!
//! ```text
//! DATABASE_URL=.. pgq-peer-x [--defaults | --tuned] drain --jobs 1000 </dev/null
//! ```

mod arrivals;
mod flags;
mod gate;
mod handler;
mod latency;
mod work;

use std::future::Future;

use anyhow::{Context, Result};
use clap::Parser;
use serde::{Deserialize, Serialize};

pub use flags::Setting;
pub use handler::handle;

/// The queue that everything goes through.
pub const QUEUE: &str = "bench";

/// How many sessions a peer's pool may have: as many as the most producers, and some for its workers.
pub const SESSIONS: u32 = 80;

/// The payload of a job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Payload {
    /// Which one it is.
    pub n: u64,
    /// How long it takes, in microseconds.
    pub micros: u64,
    /// Makes it as large as it shall be.
    pub filler: String,
}

/// A job library.
pub trait Peer: Clone + Send + Sync + 'static {
    /// Makes its tables in the database at the URL.
    fn open(url: &str, setting: Setting) -> impl Future<Output = Result<Self>>;

    /// Enqueues one job in a commit of its own.
    fn enqueue(&self, job: Payload) -> impl Future<Output = Result<()>> + Send;

    /// Enqueues many jobs in the way that it recommends for many.
    fn enqueue_bulk(&self, jobs: Vec<Payload>) -> impl Future<Output = Result<()>> + Send;

    /// Runs jobs, each by [`handle`], until the program ends.
    fn run(&self) -> impl Future<Output = Result<()>>;

    /// How many jobs have not completed, counted in SQL.
    fn left(&self) -> impl Future<Output = Result<u64>> + Send;

    /// Runs a statement that returns nothing.
    fn execute(&self, statement: &'static str) -> impl Future<Output = Result<()>> + Send;
}

/// The whole program.
pub fn main<P: Peer>() -> std::process::ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = runtime.context("no runtime").and_then(|runtime| {
        let result = runtime.block_on(run::<P>());
        // Some workers block on their way out.
        runtime.shutdown_background();
        result
    });
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

async fn run<P: Peer>() -> Result<()> {
    let arguments = flags::Arguments::parse();
    let url = std::env::var("DATABASE_URL").context("DATABASE_URL is not set")?;
    let peer = P::open(&url, arguments.setting()).await?;
    let outcome = work::run(&peer, &arguments.work).await?;
    gate::close(&outcome).await
}
