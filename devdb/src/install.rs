//! Gets a server where there is none: Debian's package as root, or else a download.

use std::env;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::binaries::Binaries;
use crate::cluster::run;
use crate::error::Error;
use crate::folder;
use crate::user::Account;

/// Debian's packaging starts a server of its own unless this file says otherwise.
const CREATE_CLUSTER: &str = "/etc/postgresql-common/createcluster.conf";

/// Finds the server's programs, and installs them where there are none. Call it under a lock.
pub(crate) fn find_or_install(base: &Path) -> Result<Binaries, Error> {
    let mut reasons = Vec::new();
    for way in [with_apt, with_download] {
        match Binaries::find_beside(base) {
            Err(Error::NoBinaries { .. }) => reasons.extend(way(base).err().map(|e| reason(&e))),
            found => return found,
        }
    }
    match Binaries::find_beside(base) {
        Err(Error::NoBinaries { .. }) => Err(Error::NoBinaries { reason: reasons.join("; ") }),
        found => found,
    }
}

fn with_apt(_base: &Path) -> Result<(), Error> {
    let is_root = Account::choose(Path::new(""))? != Account::Own;
    let Some(apt) = in_path("apt-get").filter(|_| is_root) else { return Ok(()) };
    eprintln!("no Postgres server found, installing Debian's package postgresql");
    keep_packaging_from_starting_one()?;
    let mut update = Command::new(&apt);
    update.arg("update");
    run(update)?;
    let mut install = Command::new(&apt);
    install.env("DEBIAN_FRONTEND", "noninteractive").args([
        "install",
        "-y",
        "--no-install-recommends",
        "postgresql",
    ]);
    run(install).map(drop)
}

fn keep_packaging_from_starting_one() -> Result<(), Error> {
    let path = Path::new(CREATE_CLUSTER);
    let write = || {
        std::fs::create_dir_all(path.parent().unwrap_or(path))?;
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(path)?
            .write_all(b"create_main_cluster = false\n")
    };
    match write() {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(Error::file("write", path)(error)),
        _ => Ok(()),
    }
}

/// Runs our own program with the downloader built in; nobody else pays for compiling it.
fn with_download(base: &Path) -> Result<(), Error> {
    let downloads = folder::downloads(base);
    eprintln!("no Postgres server found, downloading one into {}", downloads.display());
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(folder::workspace())
        .args(["run", "--quiet", "--package", "pgq-devdb", "--bin", "pgq-devdb"])
        .args(["--no-default-features", "--features", "download", "--target-dir"])
        .arg(downloads.join("build"))
        .args(["--", "download"])
        .arg(&downloads);
    run(command).map(drop)
}

fn in_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// An error with its causes on one line.
fn reason(error: &Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    std::iter::once(error.to_string()).chain(causes.map(ToString::to_string)).collect::<Vec<_>>().join(": ")
}
