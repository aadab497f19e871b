//! Checks what `cargo publish` would ship.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::cargo::{cargo, root};

/// The crates that are published, in the order in which they must be.
const PUBLISHED: [&str; 5] = ["pgq-cron", "pgq-macros", "pgq-core", "pgq-postgres", "pgq-cli"];
/// The one that carries the migrations, through a symlink that packaging must follow.
const WITH_MIGRATIONS: &str = "pgq-postgres";

pub(crate) fn check() -> Result<()> {
    for package in PUBLISHED {
        let files = list(package)?;
        println!("{package}: {} files", files.len());
        if package == WITH_MIGRATIONS {
            check_migrations(&files, &root().join("migrations"))?;
        }
    }
    Ok(())
}

fn list(package: &str) -> Result<BTreeSet<String>> {
    let mut command = cargo();
    command.args(["package", "--list", "--allow-dirty", "--package", package]).stderr(Stdio::inherit());
    let output = command.output().context("cannot run cargo package")?;
    if !output.status.success() {
        bail!("cargo package --list of {package} failed ({})", output.status);
    }
    Ok(String::from_utf8(output.stdout)?.lines().map(|line| line.replace('\\', "/")).collect())
}

/// Every migration ships, and nothing else beside them.
fn check_migrations(packaged: &BTreeSet<String>, folder: &Path) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let names = entries.map(|entry| Ok(format!("migrations/{}", entry?.file_name().to_string_lossy())));
    let ours: BTreeSet<String> =
        names.filter(|n: &Result<_>| !matches!(n, Ok(n) if !n.ends_with(".sql"))).collect::<Result<_>>()?;
    let shipped: BTreeSet<String> = packaged
        .iter()
        .filter(|name| name.starts_with("migrations/") && name.ends_with(".sql"))
        .cloned()
        .collect();
    if ours.is_empty() {
        bail!("{} holds no migration", folder.display());
    }
    if ours != shipped {
        bail!("{WITH_MIGRATIONS} would ship {shipped:?}, but {} holds {ours:?}", folder.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_without_a_migration_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let packaged = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let files = packaged(&["Cargo.toml", "migrations/0001_initial.sql"]);
        assert!(check_migrations(&files, folder.path()).is_err(), "no migration at all");

        fs::write(folder.path().join("0001_initial.sql"), "").unwrap();
        fs::write(folder.path().join("README.md"), "").unwrap();
        check_migrations(&files, folder.path()).unwrap();
        assert!(check_migrations(&packaged(&["Cargo.toml"]), folder.path()).is_err());
    }
}
