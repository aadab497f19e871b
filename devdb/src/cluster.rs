//! Makes a server's data folder, once.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::binaries::Binaries;
use crate::error::Error;
use crate::folder::{Folder, last_lines};

/// The superuser, and the database that the URL names.
pub(crate) const NAME: &str = "pgq";
/// The settings of ours, included from `postgresql.conf`.
pub(crate) const SETTINGS: &str = "pgq-devdb.conf";

/// Makes the data folder if there is none. Call it under the folder's lock.
///
/// It is built beside its place and moved there when whole, so an interrupted attempt leaves nothing
/// that a later one could mistake for a server.
pub(crate) fn create(folder: &Folder, binaries: &Binaries) -> Result<(), Error> {
    if folder.data().join("PG_VERSION").exists() {
        return Ok(());
    }
    let unfinished = folder.path.join("data.unfinished");
    match fs::remove_dir_all(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::file("remove", unfinished)(error));
        }
        _ => {}
    }
    folder.make(&unfinished)?;
    initdb(folder, binaries, &unfinished)?;
    create_database(folder, binaries, &unfinished)?;
    include_settings(&unfinished)?;
    fs::rename(&unfinished, folder.data()).map_err(Error::file("rename", unfinished))
}

fn initdb(folder: &Folder, binaries: &Binaries, data: &Path) -> Result<(), Error> {
    folder.write(&folder.password_file(), &random_password()?)?;
    let mut command = folder.account.command(&binaries.program("initdb"), &folder.path);
    command.arg("--pgdata").arg(data).arg("--pwfile").arg(folder.password_file()).args([
        "--username",
        NAME,
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
    ]);
    run(command).map(drop)
}

/// In single-user mode, since `psql` need not be installed.
fn create_database(folder: &Folder, binaries: &Binaries, data: &Path) -> Result<(), Error> {
    let mut command = folder.account.command(&binaries.program("postgres"), &folder.path);
    command.args(["--single", "-D"]).arg(data).arg("postgres");
    let output = run_with_input(command, &format!("create database {NAME}\n"))?;
    // It exits with success whatever the statement did.
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if said.contains("ERROR:") || said.contains("FATAL:") {
        return Err(Error::Failed {
            program: "postgres --single".into(),
            status: "an error".into(),
            output: said,
        });
    }
    Ok(())
}

fn include_settings(data: &Path) -> Result<(), Error> {
    let path = data.join("postgresql.conf");
    let append = || {
        let mut file = fs::OpenOptions::new().append(true).open(&path)?;
        writeln!(file, "\ninclude '{SETTINGS}'")
    };
    append().map_err(Error::file("write", &path))
}

/// 128 bits from the system, in hexadecimal: it goes into a URL and a file unescaped.
fn random_password() -> Result<String, Error> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0; 16];
    fs::File::open(source)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(Error::file("read", source))?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}

/// Runs a program to its end; what it said becomes the error if it fails.
pub(crate) fn run(command: Command) -> Result<Output, Error> {
    run_with_input(command, "")
}

fn run_with_input(mut command: Command, input: &str) -> Result<Output, Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut spawn = || {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that fails early has closed its end; what it said tells more than that.
            let _ = stdin.write_all(input.as_bytes());
        }
        child.wait_with_output()
    };
    let output = spawn().map_err(|source| Error::Spawn { program: program.clone(), source })?;
    if output.status.success() {
        return Ok(output);
    }
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    Err(Error::Failed { program, status: output.status.to_string(), output: last_lines(&said) })
}
