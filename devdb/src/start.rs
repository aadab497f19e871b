//! Starts a server and stops it.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::binaries::Binaries;
use crate::cluster::SETTINGS;
use crate::error::Error;
use crate::folder::{Folder, last_lines};
use crate::postmaster::{self, POLL, Postmaster, START_TIMEOUT};

/// How often a port may be taken by somebody else between being picked and being used.
const PORT_ATTEMPTS: u32 = 5;
/// How long the processes of a killed server may take to notice, or another program to free our port.
const RETRY_FOR: Duration = Duration::from_secs(15);
/// Beyond this, the old log is put aside at the next start.
const LARGEST_LOG_BYTES: u64 = 16 << 20;

/// Which port to start on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Port {
    /// The one that the server had last time if it is free, or else any.
    Any,
    /// This one and no other: its URL has been given away.
    Fixed(u16),
}

/// How a server is asked to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stop {
    /// Sessions are ended and everything is written down.
    Fast,
    /// As a crash would; the next start recovers.
    Immediate,
}

/// Starts the server, which must not be running. Call it under the folder's lock.
pub(crate) fn start(folder: &Folder, binaries: &Binaries, port: Port) -> Result<Postmaster, Error> {
    postmaster::bury(folder)?;
    set_old_log_aside(folder)?;
    let deadline = Instant::now() + RETRY_FOR;
    let mut attempts = 0;
    loop {
        attempts += 1;
        let chosen = choose(port, folder, attempts)?;
        write_settings(folder, chosen)?;
        let error = match launch(folder, binaries) {
            Ok(()) => return running(folder),
            Err(error) => error,
        };
        match (why(&error), port) {
            (Why::PortTaken, Port::Any) if attempts < PORT_ATTEMPTS => {}
            (Why::PortTaken, Port::Fixed(_)) | (Why::StillDying, _) if Instant::now() < deadline => {
                thread::sleep(POLL);
            }
            _ => return Err(error),
        }
    }
}

/// Stops the server if it runs; says whether it did.
pub(crate) fn stop(folder: &Folder, binaries: &Binaries, how: Stop) -> Result<bool, Error> {
    if Postmaster::of(folder).is_none() {
        return Ok(false);
    }
    let mode = match how {
        Stop::Fast => "fast",
        Stop::Immediate => "immediate",
    };
    pg_ctl(folder, binaries, &["stop", "-m", mode]).map(|()| true)
}

fn running(folder: &Folder) -> Result<Postmaster, Error> {
    let gone = || Error::NotReady { folder: folder.path.clone(), log: folder.log_tail(0) };
    Postmaster::ready(folder)?.ok_or_else(gone)
}

fn choose(port: Port, folder: &Folder, attempt: u32) -> Result<u16, Error> {
    let wanted = match port {
        Port::Fixed(port) => return Ok(port),
        Port::Any if attempt == 1 => last_port(folder).unwrap_or(0),
        Port::Any => 0,
    };
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener =
        bind(wanted).or_else(|_| bind(0)).map_err(Error::file("find a free port on", "127.0.0.1"))?;
    listener
        .local_addr()
        .map(|address| address.port())
        .map_err(Error::file("find a free port on", "127.0.0.1"))
}

fn last_port(folder: &Folder) -> Option<u16> {
    let settings = fs::read_to_string(folder.data().join(SETTINGS)).ok()?;
    settings.lines().find_map(|line| line.strip_prefix("port = ")?.parse().ok())
}

/// Everything else, durability above all, stays as Postgres comes.
fn write_settings(folder: &Folder, port: u16) -> Result<(), Error> {
    let socket = match folder.socket() {
        Some(socket) => {
            folder.make(&socket)?;
            socket.display().to_string().replace('\'', "''")
        }
        None => String::new(),
    };
    let settings = format!(
        "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{socket}'\n\
         max_connections = 200\n"
    );
    folder.write(&folder.data().join(SETTINGS), &settings)
}

fn set_old_log_aside(folder: &Folder) -> Result<(), Error> {
    let log = folder.log();
    if fs::metadata(&log).is_ok_and(|found| found.len() > LARGEST_LOG_BYTES) {
        fs::rename(&log, log.with_extension("log.old")).map_err(Error::file("rename", &log))?;
    }
    Ok(())
}

fn launch(folder: &Folder, binaries: &Binaries) -> Result<(), Error> {
    let log = folder.log();
    let log_before = fs::metadata(&log).map_or(0, |found| found.len());
    pg_ctl(folder, binaries, &["start", "-l", &log.display().to_string()]).map_err(|error| match error {
        Error::Failed { program, status, output } => {
            let output = format!("{output}\n{}", folder.log_tail(log_before));
            Error::Failed { program, status, output }
        }
        other => other,
    })
}

/// Runs `pg_ctl` and waits for what it does.
///
/// Its output goes to a file: a server must not inherit our pipes, or whoever reads them waits for it
/// to end. Its own process group keeps ctrl-c away from it.
fn pg_ctl(folder: &Folder, binaries: &Binaries, args: &[&str]) -> Result<(), Error> {
    let program = binaries.program("pg_ctl");
    let output = folder.path.join("pg_ctl.log");
    folder.write(&output, "")?;
    let open = || File::options().append(true).open(&output).map_err(Error::file("write", &output));
    let status = folder
        .account
        .command(&program, &folder.path)
        .args(args)
        .arg("-w")
        .args(["-t", &START_TIMEOUT.as_secs().to_string(), "-D"])
        .arg(folder.data())
        .stdout(open()?)
        .stderr(open()?)
        .stdin(Stdio::null())
        .process_group(0)
        .status()
        .map_err(|source| Error::Spawn { program: program.display().to_string(), source })?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Failed {
        program: format!("{} {}", program.display(), args[0]),
        status: status.to_string(),
        output: said(&output),
    })
}

fn said(file: &Path) -> String {
    last_lines(&fs::read(file).unwrap_or_default())
}

/// Why a server did not start, where trying again helps.
#[derive(Debug, PartialEq)]
enum Why {
    PortTaken,
    StillDying,
    Other,
}

/// The server only tells in its log. Its messages are English, as the locale is C.
fn why(error: &Error) -> Why {
    match error {
        Error::Failed { output, .. } if output.contains("could not bind") => Why::PortTaken,
        Error::Failed { output, .. } if output.contains("is still in use") => Why::StillDying,
        _ => Why::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_passing_troubles_are_tried_again() {
        let failed = |output: &str| Error::Failed {
            program: "pg_ctl".into(),
            status: "exit status: 1".into(),
            output: output.into(),
        };
        let taken = "LOG:  could not bind IPv4 address \"127.0.0.1\": Address already in use";
        let dying = "FATAL:  pre-existing shared memory block (key 1, ID 2) is still in use";
        assert_eq!(why(&failed(taken)), Why::PortTaken);
        assert_eq!(why(&failed(dying)), Why::StillDying);
        assert_eq!(why(&failed("FATAL:  out of memory")), Why::Other);
    }
}
