//! `cargo xtask bench`

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;

use crate::cargo::{become_it, cargo_run};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Passed on to the benchmarks.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    bench: Vec<OsString>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let mut command = cargo_run("pgq-bench");
    command.arg("--release").arg("--").args(&arguments.bench).env("DATABASE_URL", pgq_devdb::url()?);
    Err(become_it(&mut command))
}
