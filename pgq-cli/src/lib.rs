//! The commands of `pgq`: what waits, what runs, what failed and why; retry, cancel, pause; what is wrong with a
//! database, and a live view.
//!
//! The binary `pgq` knows no job types, so it tells no payloads. A program of yours that has the types can mount the
//! same commands, and shows them as JSON, without what is `sensitive`:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use clap::{CommandFactory, Parser};
//!
//! #[derive(Parser)]
//! #[command(name = "shop")]
//! enum Program {
//!     /// Run jobs.
//!     Work,
//!     /// Look at jobs and change them.
//!     Jobs(pgq_cli::Arguments),
//! }
//!
//! #[tokio::main]
//! async fn main() -> ExitCode {
//!     match Program::parse() {
//!         Program::Work => ExitCode::SUCCESS, // Runner::from_registry() ..
//!         Program::Jobs(arguments) => {
//!             let registry = pgq_postgres::Registry::linked().expect("every job has a kind of its own");
//!             pgq_cli::run(&registry, arguments.mounted_in(Program::command())).await
//!         }
//!     }
//! }
//! ```
//!
//! Exit codes: 0 for success, 1 for failure, 2 for a command line that cannot be understood.

mod arguments;
mod commands;
mod connect;
mod failure;
mod json;
mod output;
mod select;
mod text;

use std::process::ExitCode;

use clap::Parser;
use pgq_postgres::Registry;

pub use arguments::{Arguments, Command};

/// Looks at the jobs of a database and changes them.
#[derive(Parser)]
#[command(name = "pgq", version, propagate_version = true)]
struct Program {
    #[command(flatten)]
    arguments: Arguments,
}

/// The whole of the binary `pgq`.
pub fn main() -> ExitCode {
    let arguments = Program::parse().arguments;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(run(&Registry::default(), arguments)),
        Err(error) => failure::Failure::failed(format!("could not start: {error}")).print(),
    }
}

/// Does what the command line says, prints the answer, and says how to exit. Payloads are shown of the kinds in the
/// registry.
pub async fn run(registry: &Registry, arguments: Arguments) -> ExitCode {
    match commands::run(registry, arguments).await {
        Ok(code) => code,
        Err(failure) => failure.print(),
    }
}

/// The command, for completions.
fn command() -> clap::Command {
    <Program as clap::CommandFactory>::command()
}
