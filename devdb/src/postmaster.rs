//! What `postmaster.pid` says about a server, and whether it is true.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::folder::Folder;
use crate::process;

/// How long a server may take to recover from a crash.
pub(crate) const START_TIMEOUT: Duration = Duration::from_secs(120);
/// How often its state is looked at meanwhile.
pub(crate) const POLL: Duration = Duration::from_millis(50);
/// How long a server on this machine may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// More than any system's largest process id.
const NO_PROCESS: u32 = 999_999_999;
/// The line numbers in `postmaster.pid`; Postgres calls them `LOCK_FILE_LINE_*`.
const PORT_LINE: usize = 3;
const STATUS_LINE: usize = 7;

/// A postmaster that lives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Postmaster {
    pub(crate) pid: u32,
    pub(crate) port: u16,
    ready: bool,
}

impl Postmaster {
    /// Reads what the server wrote; `None` if there is no server, or it died without tidying up.
    pub(crate) fn of(folder: &Folder) -> Option<Postmaster> {
        parse(&fs::read_to_string(pid_file(folder)).ok()?)
            .filter(|found| process::is_server_of(found.pid, &folder.data()))
    }

    /// The same, once it accepts connections. Waits for one that is still starting.
    pub(crate) fn ready(folder: &Folder) -> Result<Option<Postmaster>, Error> {
        let deadline = Instant::now() + START_TIMEOUT;
        while let Some(found) = Postmaster::of(folder) {
            if found.ready && answers(found.port) {
                return Ok(Some(found));
            }
            if Instant::now() > deadline {
                return Err(Error::NotReady { folder: folder.path.clone(), log: folder.log_tail(0) });
            }
            thread::sleep(POLL);
        }
        Ok(None)
    }
}

/// Tells the next server that the one in `postmaster.pid` is gone, which must be so.
///
/// Postgres finds out itself, except where another process has been given the id since, or where
/// nobody has collected the dead process yet, as in containers without an init. The file stays: by its
/// other lines Postgres makes sure that no orphan of the dead server still writes to the data.
pub(crate) fn bury(folder: &Folder) -> Result<(), Error> {
    let path = pid_file(folder);
    let Ok(content) = fs::read_to_string(&path) else { return Ok(()) };
    let rest = content.split_once('\n').map_or("", |(_, rest)| rest);
    fs::write(&path, format!("{NO_PROCESS}\n{rest}")).map_err(Error::file("write", path))?;
    match folder.socket().map(fs::remove_dir_all) {
        Some(Err(error)) if error.kind() != ErrorKind::NotFound => {
            Err(Error::file("empty the socket folder in", &folder.path)(error))
        }
        _ => Ok(()),
    }
}

fn pid_file(folder: &Folder) -> PathBuf {
    folder.data().join("postmaster.pid")
}

/// The file grows while the server starts: the later lines may be missing.
fn parse(content: &str) -> Option<Postmaster> {
    let mut lines = content.lines();
    let pid = lines.next()?.trim().parse().ok()?;
    let port = lines.nth(PORT_LINE - 1).and_then(|line| line.trim().parse().ok()).unwrap_or(0);
    let ready = lines.nth(STATUS_LINE - PORT_LINE - 1).is_some_and(|line| line.trim() == "ready");
    Some(Postmaster { pid, port, ready })
}

/// Whether a Postgres listens there: any answers one byte to the question for encryption.
fn answers(port: u16) -> bool {
    const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
    let ask = || {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&address, ANSWER_TIMEOUT)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        stream.write_all(&SSL_REQUEST)?;
        let mut answer = [0];
        stream.read_exact(&mut answer).map(|()| matches!(answer[0], b'S' | b'N'))
    };
    ask().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pid_files_are_read_at_every_stage() {
        let full = "42\n/data\n1700000000\n54321\n/data/socket\n127.0.0.1\n  5432001   0\nready   \n";
        assert_eq!(parse(full), Some(Postmaster { pid: 42, port: 54321, ready: true }));
        let starting = full.replace("ready   ", "starting");
        assert_eq!(parse(&starting), Some(Postmaster { pid: 42, port: 54321, ready: false }));
        assert_eq!(parse("42\n/data\n"), Some(Postmaster { pid: 42, port: 0, ready: false }));
        assert_eq!(parse(""), None);
    }

    #[test]
    fn a_silent_port_is_no_server() {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        assert!(!answers(port));
    }
}
