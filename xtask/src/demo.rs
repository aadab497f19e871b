//! `cargo xtask demo`

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::cargo::{become_it, cargo_run};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Compile it with optimisations.
    #[arg(long)]
    release: bool,
    /// Passed on to the demo: a folder, and its own options after `--`.
    #[arg(trailing_var_arg = true)]
    demo: Vec<OsString>,
}

/// The server stays up: the next demo starts at once.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut command = command(arguments.release, &arguments.demo);
    command.env("DATABASE_URL", pgq_devdb::url()?);
    Err(become_it(&mut command))
}

pub(crate) fn command(release: bool, args: &[OsString]) -> Command {
    let mut command = cargo_run("pgq-examples");
    command.args(["--quiet", "--bin", "demo"]).args(release.then_some("--release")).arg("--").args(args);
    command
}
