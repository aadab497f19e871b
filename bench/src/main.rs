//! How fast pgq is, beside the bare SQL that it is made of. A workload a file.
//!
//! ```text
//! cargo xtask bench drain [--json] [--rounds N] [--jobs N]
//! cargo xtask bench pickup [--json] [--jobs N]
//! cargo xtask bench steady [--json] [--rate N] [--seconds N]
//! ```

mod drain;
mod pickup;
mod steady;

mod floor;
mod ours;

mod database;
mod job;
mod latency;
mod measure;
mod report;
mod server;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Benchmarks of pgq.
#[derive(Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Arguments {
    #[command(subcommand)]
    workload: Workload,
}

#[derive(Subcommand)]
enum Workload {
    /// Run many jobs that do nothing, and compare with the bare SQL loop of claim and settle.
    Drain(drain::Arguments),
    /// Enqueue single jobs for an idle runner, and compare with a bare notification.
    Pickup(pickup::Arguments),
    /// Enqueue single jobs at an even rate.
    Steady(steady::Arguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Arguments::parse().workload {
        Workload::Drain(arguments) => drain::run(&arguments).await,
        Workload::Pickup(arguments) => pickup::run(&arguments).await,
        Workload::Steady(arguments) => steady::run(&arguments).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
