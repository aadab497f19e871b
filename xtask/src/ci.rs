//! `cargo xtask ci`: the whole gate.

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::cargo::{cargo, root, succeed};
use crate::postgres::Postgres;
use crate::tally::Tally;
use crate::{demo, faults, package, screen, test};

/// One check, named as in the summary.
struct Step {
    name: &'static str,
    action: Action,
}

enum Action {
    Cargo { args: &'static [&'static str], env: &'static [(&'static str, &'static str)] },
    Test { args: &'static [&'static str] },
    TestInRoles { args: &'static [&'static str] },
    Demo,
    Faults,
    Package,
}

/// What has to do with payloads.
const WITHOUT_BINCODE: &[&str] = &[
    "--no-default-features",
    "-p",
    "pgq-core",
    "-p",
    "pgq-postgres",
    "-p",
    "pgq-tests",
    "-p",
    "pgq-examples",
];

/// In this order: what is quick and fails often comes first.
const STEPS: [Step; 9] = [
    Step { name: "format", action: Action::Cargo { args: &["fmt", "--all", "--check"], env: &[] } },
    Step {
        name: "clippy",
        action: Action::Cargo {
            args: &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
            env: &[],
        },
    },
    Step { name: "tests", action: Action::Test { args: &[] } },
    // Chosen from the whole workspace, or cargo would build it anew with fewer features.
    Step { name: "roles", action: Action::TestInRoles { args: &["--test", "suite"] } },
    Step { name: "without bincode", action: Action::Test { args: WITHOUT_BINCODE } },
    Step {
        name: "docs",
        action: Action::Cargo {
            args: &["doc", "--workspace", "--no-deps"],
            env: &[("RUSTDOCFLAGS", "-D warnings")],
        },
    },
    Step { name: "demo", action: Action::Demo },
    Step { name: "faults", action: Action::Faults },
    Step { name: "packages", action: Action::Package },
];

/// What the steps share: the server, started when the first of them needs it, and the count of tests.
#[derive(Default)]
struct Run {
    postgres: Option<Postgres>,
    tally: Tally,
}

pub(crate) fn run() -> Result<ExitCode> {
    let mut run = Run::default();
    let mut durations = Vec::new();
    let mut failure = None;
    for step in &STEPS {
        screen::headline(step.name);
        let begin = Instant::now();
        let result = run.perform(&step.action);
        durations.push((step.name, begin.elapsed()));
        println!("{} took {}", step.name, screen::seconds(begin.elapsed()));
        if let Err(error) = result {
            failure = Some((step.name, error));
            break;
        }
    }
    run.postgres.take().map_or(Ok(()), Postgres::close)?;
    Ok(summary(&durations, failure.as_ref(), run.tally))
}

impl Run {
    fn perform(&mut self, action: &Action) -> Result<()> {
        match action {
            Action::Cargo { args, env } => succeed(cargo().args(*args).envs(env.iter().copied())),
            Action::Test { args } => self.test(test::run_tests, args),
            Action::TestInRoles { args } => self.test(test::run_tests_in_roles, args),
            Action::Demo => self.demo(),
            Action::Faults => succeed(&mut faults::command(&[])?),
            Action::Package => package::check(),
        }
    }

    fn test(&mut self, run: fn(&Postgres, &[OsString]) -> Result<Tally>, args: &[&str]) -> Result<()> {
        let args: Vec<_> = args.iter().map(Into::into).collect();
        let tally = run(self.postgres()?, &args)?;
        self.tally += tally;
        if !tally.is_good() {
            bail!("{tally}");
        }
        Ok(())
    }

    fn demo(&mut self) -> Result<()> {
        let mut command = demo::command(false, &[root().into()]);
        self.postgres()?.give_to(&mut command);
        succeed(&mut command)
    }

    fn postgres(&mut self) -> Result<&Postgres> {
        let opened = match self.postgres.take() {
            Some(postgres) => postgres,
            None => Postgres::open(None)?,
        };
        Ok(self.postgres.insert(opened))
    }
}

/// The last line counts a step that failed without failing a test as one failure: it must not look good.
fn summary(
    durations: &[(&str, Duration)],
    failure: Option<&(&str, anyhow::Error)>,
    mut tally: Tally,
) -> ExitCode {
    screen::headline("summary");
    for (name, duration) in durations {
        let failed = failure.is_some_and(|(step, _)| step == name);
        let mark = if failed { screen::red("failed") } else { screen::green("ok") };
        println!("{name:<10} {:>9}  {mark}", screen::seconds(*duration));
    }
    if let Some((name, error)) = failure {
        println!("{}: {name}: {error:#}", screen::red("error"));
        tally.failed = tally.failed.max(1);
    }
    println!("\n{tally}");
    if failure.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
