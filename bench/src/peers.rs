//! Other job libraries for Postgres, each a program in a package of its own under `bench/peers`, outside of this
//! workspace: what they depend on is none of ours.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::case::{Case, Flags, Side};
use crate::child::Program;
use crate::workloads::{drain, enqueue_bulk};

/// Their packages' folders, their programs, and how they are set up.
const PEERS: [(&str, &str, &[Setting]); 4] = [
    // It takes as many jobs as there are processors each time that it is notified, and each second otherwise.
    ("graphile_worker", "pgq-peer-graphile-worker", &[Setting { drain: 50_000, ..DEFAULTS }, TUNED]),
    ("apalis_postgres", "pgq-peer-apalis-postgres", &[DEFAULTS, TUNED]),
    ("sqlxmq", "pgq-peer-sqlxmq", &[Setting { bulk: 20, ..DEFAULTS }, Setting { drain: 50, ..TUNED }]),
    ("awa", "pgq-peer-awa", &[Setting { bulk: 20, ..DEFAULTS }, TUNED]),
];

#[derive(Debug)]
struct Setting {
    name: &'static str,
    /// The parts of a drain's and of a bulk's jobs that it gets: some would take minutes for all of them.
    drain: u64,
    bulk: u64,
}

/// With its own defaults, and with those settings of its documentation that are fastest.
const DEFAULTS: Setting = Setting { name: "defaults", drain: 100, bulk: 1 };
const TUNED: Setting = Setting { name: "tuned", drain: 5, bulk: 1 };

impl Setting {
    fn part(&self, workload: &str) -> u64 {
        match workload {
            drain::NAME => self.drain,
            enqueue_bulk::NAME => self.bulk,
            _ => 1,
        }
    }
}

/// Those that were built.
#[derive(Debug, Default)]
pub(crate) struct Peers(Vec<(&'static str, Program, &'static Setting)>);

impl Peers {
    /// Builds all of them, if they are wanted.
    pub(crate) fn build(wanted: bool) -> Result<Self> {
        let mut peers = Vec::new();
        for (name, program, settings) in PEERS.iter().filter(|_| wanted) {
            eprintln!("building {name}");
            let path = build(name)?.join(program);
            for setting in *settings {
                let arguments = vec![format!("--{}", setting.name)];
                peers.push((*name, Program { path: path.clone(), arguments }, setting));
            }
        }
        Ok(Self(peers))
    }

    /// The sides that they are of this case.
    pub(crate) fn sides(&self, case: &Case) -> Vec<Side> {
        let peers = self.0.iter().filter(|_| case.has_peers);
        let fewer = |setting: &Setting| match (case.jobs(), setting.part(case.workload)) {
            (Some(jobs), part @ 2..) => Flags::default().with("jobs", (jobs / part).max(1)),
            _ => Flags::default(),
        };
        let side = |(name, program, setting): &(&str, Program, &Setting)| Side {
            name: format!("{name} {}", setting.name),
            program: program.clone(),
            flags: fewer(setting),
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
