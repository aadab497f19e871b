//! Other job libraries for Postgres, each a program in a package of its own under `bench/peers`, outside of this
//! workspace: what they depend on is none of ours.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::case::{Case, Flags, Side};
use crate::child::Program;
use crate::workloads::drain;

/// Their packages' folders, their programs, and how they are set up.
const PEERS: [(&str, &str, &[Setting]); 4] = [
    ("graphile_worker", "pgq-peer-graphile-worker", &[SLOWEST_DEFAULTS, TUNED]),
    ("apalis_postgres", "pgq-peer-apalis-postgres", &[SLOW_DEFAULTS, TUNED]),
    ("sqlxmq", "pgq-peer-sqlxmq", &[SLOW_DEFAULTS, SLOW_TUNED]),
    ("awa", "pgq-peer-awa", &[SLOW_DEFAULTS, TUNED]),
];

/// Its name, and the part of a drain's jobs that are drained with it: some would take minutes for all of them.
type Setting = (&'static str, u64);

/// With its own defaults, and with those settings of its documentation that are fastest.
const SLOW_DEFAULTS: Setting = ("defaults", 20);
const TUNED: Setting = ("tuned", 1);
const SLOW_TUNED: Setting = ("tuned", 10);

/// graphile_worker takes as many jobs as there are processors each time that it is notified, and each second otherwise.
const SLOWEST_DEFAULTS: Setting = ("defaults", 10_000);

/// Those that were built, each with the part of a drain's jobs that it gets.
#[derive(Debug, Default)]
pub(crate) struct Peers(Vec<(String, Program, u64)>);

impl Peers {
    /// Builds all of them, if they are wanted.
    pub(crate) fn build(wanted: bool) -> Result<Self> {
        let mut peers = Vec::new();
        for (name, program, settings) in PEERS.into_iter().filter(|_| wanted) {
            eprintln!("building {name}");
            let path = build(name)?.join(program);
            for (setting, part) in settings {
                let arguments = vec![format!("--{setting}")];
                peers.push((format!("{name} {setting}"), Program { path: path.clone(), arguments }, *part));
            }
        }
        Ok(Self(peers))
    }

    /// The sides that they are of this case.
    pub(crate) fn sides(&self, case: &Case) -> Vec<Side> {
        let peers = self.0.iter().filter(|_| case.has_peers);
        let fewer = |part: &u64| match case.jobs() {
            Some(jobs) if case.workload == drain::NAME => Flags::default().with("jobs", (jobs / part).max(1)),
            _ => Flags::default(),
        };
        let side = |(name, program, part): &(String, Program, u64)| Side {
            name: name.clone(),
            program: program.clone(),
            flags: fewer(part),
            takes: None,
        };
        peers.map(side).collect()
    }
}

/// The folder of its program.
fn build(name: &str) -> Result<PathBuf> {
    let bench = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = match std::env::var_os("CARGO_TARGET_DIR") {
        Some(target) => std::path::absolute(target)?,
        None => bench.parent().unwrap_or(bench).join("target"),
    };
    let target = target.join("peers");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--release", "--locked", "--quiet", "--manifest-path"]);
    command.arg(bench.join("peers").join(name).join("Cargo.toml")).env("CARGO_TARGET_DIR", &target);
    // Macros of theirs would look for their tables in our database.
    command.env_remove("DATABASE_URL").env("SQLX_OFFLINE", "true");
    let status = command.status().context("cannot run cargo")?;
    if !status.success() {
        bail!("{name} does not build ({status})");
    }
    Ok(target.join("release"))
}
