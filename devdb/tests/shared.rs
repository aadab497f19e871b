//! Goal: many processes share one server, which outlives them and survives what happens to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

mod support;

/// A folder for shared servers of its own; stops what was started there.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        Place { folder: support::open_folder() }
    }

    fn command(&self, action: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pgq-devdb"));
        command
            .arg(action)
            .env_remove("DATABASE_URL")
            .env("PGQ_DEVDB_DIR", self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Returns only once nobody holds the pipes: a server that did would hang this.
    fn run(&self, action: &str) -> String {
        said(self.command(action).output().unwrap())
    }

    /// The folder of the only version there is.
    fn version(&self) -> PathBuf {
        let entries = fs::read_dir(self.folder.path()).unwrap().flatten().map(|entry| entry.path());
        let folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
        assert_eq!(folders.len(), 1, "{folders:?}");
        folders[0].clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.command("stop").status();
    }
}

fn said(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn pid_file(version: &Path) -> String {
    fs::read_to_string(version.join("data/postmaster.pid")).unwrap()
}

#[test]
fn ten_processes_from_nothing_get_one_server() {
    let place = Place::new();
    let children: Vec<_> = (0..10).map(|_| place.command("url").spawn().unwrap()).collect();
    let urls: Vec<_> = children.into_iter().map(|child| said(child.wait_with_output().unwrap())).collect();
    assert!(urls[0].starts_with("postgres://pgq:"), "{}", urls[0]);
    assert!(urls.iter().all(|url| *url == urls[0]), "{urls:?}");
}

#[test]
fn a_server_is_found_again_and_stopped() {
    let place = Place::new();
    assert_eq!(place.run("status"), "never started");
    let url = place.run("start");
    let pid = pid_file(&place.version());
    assert_eq!(place.run("url"), url);
    assert_eq!(pid_file(&place.version()), pid, "a second server was started");
    assert!(place.run("status").starts_with("running on port "));

    assert_eq!(place.run("stop"), "stopped");
    assert_eq!(place.run("stop"), "not running");
    assert!(place.run("status").starts_with("stopped, in "));
    assert_eq!(place.run("url"), url, "a restarted server keeps its port and password");
}

#[test]
fn an_interrupted_first_start_is_forgotten() {
    let place = Place::new();
    place.run("start");
    place.run("stop");
    // As initdb leaves it when it is interrupted.
    let version = place.version();
    fs::rename(version.join("data"), version.join("data.unfinished")).unwrap();
    fs::remove_file(version.join("data.unfinished/PG_VERSION")).unwrap();

    place.run("start");
    assert!(!version.join("data.unfinished").exists());
    assert!(place.run("status").starts_with("running"));
}

#[test]
fn a_given_url_wins() {
    let place = Place::new();
    let given = "postgres://me@example.invalid/db";
    assert_eq!(said(place.command("url").env("DATABASE_URL", given).output().unwrap()), given);
    assert!(place.run("url").starts_with("postgres://pgq:"));
    let empty = place.command("url").env("DATABASE_URL", "").output().unwrap();
    assert!(said(empty).starts_with("postgres://pgq:"));
}

#[test]
fn a_wrong_folder_of_programs_is_named() {
    let place = Place::new();
    let output = place.command("url").env("PGQ_POSTGRES_BIN", place.folder.path()).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(message.contains(&*place.folder.path().to_string_lossy()), "{message}");
    assert!(message.contains("name the bin folder of a Postgres server"), "{message}");
}

#[test]
fn without_any_postgres_the_message_says_how_to_get_one() {
    let error = pgq_devdb::Error::NoBinaries { reason: "the network is down".into() };
    let message = error.to_string();
    for part in [
        "the network is down",
        "DATABASE_URL",
        "sudo apt-get install postgresql",
        "sudo dnf install postgresql-server",
        "brew install postgresql@17",
    ] {
        assert!(message.contains(part), "{part} is missing from: {message}");
    }
}
