//! Other job libraries for Postgres, each a program in a package of its own under `bench/peers`, outside of this
//! workspace: what they depend on is none of ours.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::case::{Case, Flags, Side};
use crate::child::Program;

/// Their packages' folders and programs.
const PEERS: &[(&str, &str)] = &[];

/// With its own defaults, and with the settings that its documentation recommends for speed.
const SETTINGS: [(&str, &str); 2] = [("defaults", "--defaults"), ("tuned", "--tuned")];

/// Those that were built.
#[derive(Debug, Default)]
pub(crate) struct Peers(Vec<(String, Program)>);

impl Peers {
    /// Builds all of them, if they are wanted.
    pub(crate) fn build(wanted: bool) -> Result<Self> {
        let mut peers = Vec::new();
        for (name, program) in PEERS.iter().filter(|_| wanted) {
            eprintln!("building {name}");
            let path = build(name)?.join(program);
            for (setting, flag) in SETTINGS {
                let arguments = vec![flag.to_owned()];
                peers.push((format!("{name} {setting}"), Program { path: path.clone(), arguments }));
            }
        }
        Ok(Self(peers))
    }

    /// The sides that they are of this case.
    pub(crate) fn sides(&self, case: &Case) -> Vec<Side> {
        let peers = self.0.iter().filter(|_| case.has_peers);
        let side = |(name, program): &(String, Program)| Side {
            name: name.clone(),
            program: program.clone(),
            flags: Flags::default(),
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
    let status = command.status().context("cannot run cargo")?;
    if !status.success() {
        bail!("{name} does not build ({status})");
    }
    Ok(target.join("release"))
}
