//! Finds the folder that holds Postgres's programs.

use std::cmp::Reverse;
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::Error;
use crate::folder;
use crate::user::Account;

/// What a folder must hold to count.
const PROGRAMS: [&str; 3] = ["initdb", "pg_ctl", "postgres"];

/// The programs of one installed Postgres server.
#[derive(Clone, Debug, PartialEq)]
pub struct Binaries {
    folder: PathBuf,
}

impl Binaries {
    /// The programs in `folder`, usually named `bin`.
    ///
    /// # Errors
    ///
    /// [`Error::NotBinaries`] if it lacks one of them.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Result<Binaries, Error> {
        let folder = folder.into();
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        if PROGRAMS.iter().all(|program| is_executable(&folder.join(program))) {
            Ok(Binaries { folder })
        } else {
            Err(Error::NotBinaries { folder })
        }
    }

    /// Looks in all the places that the [crate] names. Installs nothing.
    ///
    /// # Errors
    ///
    /// [`Error::NoBinaries`] if there are none, [`Error::NotBinaries`] if `PGQ_POSTGRES_BIN` is wrong.
    pub fn find() -> Result<Binaries, Error> {
        Binaries::find_beside(&folder::base()?)
    }

    pub(crate) fn find_beside(base: &Path) -> Result<Binaries, Error> {
        if let Some(named) = env::var_os("PGQ_POSTGRES_BIN").filter(|named| !named.is_empty()) {
            return Binaries::in_folder(named);
        }
        let account = Account::choose(Path::new(""))?;
        let found = Places::of_this_machine(base)
            .candidates()
            .into_iter()
            .filter_map(|folder| Binaries::in_folder(folder).ok())
            .find(|binaries| account.can_run(&binaries.program("postgres")));
        found.ok_or_else(|| Error::NoBinaries { reason: "nothing was tried".into() })
    }

    /// The folder of the programs.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The major version, asked of the server itself.
    ///
    /// # Errors
    ///
    /// If it cannot be run.
    pub fn major(&self) -> Result<u32, Error> {
        let postgres = self.program("postgres");
        let program = postgres.display().to_string();
        let output = Command::new(&postgres).arg("--version").stdin(Stdio::null()).output();
        let output = output.map_err(|source| Error::Spawn { program: program.clone(), source })?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        parse_major(&text).ok_or(Error::Failed { program, status: output.status.to_string(), output: text })
    }

    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// `postgres (PostgreSQL) 15.13 (Debian ...)`, or `18beta1`.
fn parse_major(version: &str) -> Option<u32> {
    let (_, number) = version.split_once("(PostgreSQL) ")?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Everything that the search depends on, so that tests can build a machine of their own.
struct Places {
    pg_config: Option<PathBuf>,
    path: Vec<PathBuf>,
    root: PathBuf,
    downloads: PathBuf,
}

impl Places {
    fn of_this_machine(base: &Path) -> Places {
        let path = env::var_os("PATH").unwrap_or_default();
        Places {
            pg_config: pg_config_bindir(),
            path: env::split_paths(&path).collect(),
            root: "/".into(),
            downloads: folder::downloads(base),
        }
    }

    /// The folders to try, best first.
    fn candidates(&self) -> Vec<PathBuf> {
        let root = |path: &str| self.root.join(path);
        let mut all: Vec<PathBuf> = self.pg_config.iter().chain(&self.path).cloned().collect();
        all.extend(newest_first(&root("usr/lib/postgresql"), "", "bin"));
        all.extend(newest_first(&root("usr"), "pgsql-", "bin"));
        all.extend(newest_first(&root("opt/homebrew/opt"), "postgresql", "bin"));
        all.extend(newest_first(&root("usr/local/opt"), "postgresql", "bin"));
        all.extend(newest_first(&root("Applications/Postgres.app/Contents/Versions"), "", "bin"));
        all.extend(newest_first(&self.downloads, "", "bin"));
        all
    }
}

fn pg_config_bindir() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").stdin(Stdio::null()).output().ok()?;
    let folder = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| PathBuf::from(folder.trim()))
}

/// The folders `parent/prefix*/suffix`, sorted by the numbers in the name: 9.6 is older than 15.
fn newest_first(parent: &Path, prefix: &str, suffix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with(prefix))
        .collect();
    names.sort_by_key(|name| Reverse(numbers(name)));
    names.into_iter().map(|name| parent.join(name).join(suffix)).collect()
}

fn numbers(name: &str) -> Vec<u32> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(root: &Path) -> Places {
        Places {
            pg_config: Some("/config/bin".into()),
            path: vec!["/path/one".into(), "/path/two".into()],
            root: root.into(),
            downloads: root.join("downloads"),
        }
    }

    #[test]
    fn places_are_tried_in_the_documented_order() {
        let root = tempfile::tempdir().unwrap();
        for folder in [
            "usr/lib/postgresql/9.6",
            "usr/lib/postgresql/15",
            "usr/lib/postgresql/17",
            "opt/homebrew/opt/postgresql@16",
            "opt/homebrew/opt/postgresql@9",
            "opt/homebrew/opt/postgresql",
            "opt/homebrew/opt/redis",
            "downloads/17.4.0",
        ] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let found = machine(root.path()).candidates();
        let found: Vec<_> = found.iter().map(|f| f.strip_prefix(root.path()).unwrap_or(f)).collect();
        let expected = [
            "/config/bin",
            "/path/one",
            "/path/two",
            "usr/lib/postgresql/17/bin",
            "usr/lib/postgresql/15/bin",
            "usr/lib/postgresql/9.6/bin",
            "opt/homebrew/opt/postgresql@16/bin",
            "opt/homebrew/opt/postgresql@9/bin",
            "opt/homebrew/opt/postgresql/bin",
            "downloads/17.4.0/bin",
        ];
        assert_eq!(found, expected.map(Path::new));
    }

    #[test]
    fn a_folder_counts_only_with_all_programs_executable() {
        let folder = tempfile::tempdir().unwrap();
        for program in PROGRAMS {
            assert!(Binaries::in_folder(folder.path()).is_err());
            fs::write(folder.path().join(program), "").unwrap();
        }
        assert!(Binaries::in_folder(folder.path()).is_err());
        for program in PROGRAMS {
            let path = folder.path().join(program);
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        assert_eq!(Binaries::in_folder(folder.path()).unwrap().folder(), folder.path());
    }

    #[test]
    fn versions_of_releases_and_betas_are_read() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(parse_major("nonsense"), None);
    }
}
