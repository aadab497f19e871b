//! How fast pgq is, beside the bare SQL that does the least possible for the same work.
//!
//! ```text
//! cargo xtask bench [WORKLOAD...] [--json] [--rounds N] [--jobs N] [--peers] [--report DIR]
//! ```
//!
//! A workload has cases and a case has sides: ours, the floor, and whatever else does the same work. Each measurement of a
//! side is a process of its own, with a fresh database, so that its processor's time and memory are its own. The sides
//! take turns, so that all meet the same weather.

mod options;
mod workloads;

mod case;
mod child;
mod harness;
mod peers;
mod server;
mod usage;

mod figures;
mod report;

mod gate;
mod side;

mod arrivals;
mod database;
mod floor;
mod job;
mod latency;
mod measure;
mod ours;
mod paced;
mod produce;
mod sampler;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::harness::Harness;
use crate::options::Options;
use crate::report::Report;
use crate::workloads::Workload;

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let result = match arguments.peek().map(String::as_str) {
        Some("side") => side::run(arguments).await,
        _ => bench(Options::parse()).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the workloads one after the other; each is printed when it is done, and all are in the report.
async fn bench(options: Options) -> Result<()> {
    let workloads = if options.workloads.is_empty() { Workload::quick() } else { options.workloads.clone() };
    let mut harness = Harness::start(options).await?;
    let mut report = Report::new(&harness);
    for workload in workloads {
        let result = workload.run(&mut harness).await?;
        harness.print(&report.text(&result));
        report.add(result);
    }
    harness.finish();
    report.write()
}
