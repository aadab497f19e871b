//! `cargo xtask faults`

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::cargo::{become_it, cargo, cargo_run, succeed};

#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    /// Passed on to the suite; `--help` lists what it takes.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    faults: Vec<OsString>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    Err(become_it(&mut command(&arguments.faults)?))
}

/// The suite, built together with its workers: `cargo run` alone builds one program.
pub(crate) fn command(arguments: &[OsString]) -> Result<Command> {
    succeed(cargo().args(["build", "--quiet", "--package", "pgq-faults", "--bins"]))?;
    let mut command = cargo_run("pgq-faults");
    command.args(["--quiet", "--bin", "pgq-faults", "--"]).args(arguments);
    Ok(command)
}
