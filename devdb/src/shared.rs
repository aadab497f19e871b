//! The one URL that tests, examples and commands ask for.

use std::env;
use std::fmt;
use std::path::PathBuf;

use crate::error::Error;
use crate::folder;
use crate::postmaster::Postmaster;
use crate::server::{Server, existing};

/// The URL of a Postgres to work with: `DATABASE_URL` if it is set and not empty, or else that of the
/// shared development server, which is started if it is not up.
///
/// ```no_run
/// println!("{}", pgq_devdb::url()?);
/// # Ok::<(), pgq_devdb::Error>(())
/// ```
///
/// # Errors
///
/// If there is no Postgres and none can be installed, or it does not start.
pub fn url() -> Result<String, Error> {
    match env::var("DATABASE_URL") {
        Ok(url) if !url.is_empty() => Ok(url),
        _ => Server::shared().map(|server| server.url()),
    }
}

/// How the shared server is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Status {
    /// It was never started, or its folder is gone, or its programs are.
    Absent,
    /// It has a folder, and no process.
    Stopped {
        /// The folder with its data, password and log.
        folder: PathBuf,
    },
    /// It is up.
    Running {
        /// The folder with its data, password and log.
        folder: PathBuf,
        /// The process id of the postmaster.
        pid: u32,
        /// The port on 127.0.0.1.
        port: u16,
    },
}

impl Server {
    /// How the shared server is. Starts and installs nothing.
    ///
    /// # Errors
    ///
    /// If its folder cannot be looked at.
    pub fn status() -> Result<Status, Error> {
        let Some((folder, _)) = existing(&folder::base()?)? else { return Ok(Status::Absent) };
        Ok(match Postmaster::of(&folder) {
            Some(Postmaster { pid, port, .. }) => Status::Running { folder: folder.path, pid, port },
            None => Status::Stopped { folder: folder.path },
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::Absent => write!(f, "never started"),
            Status::Stopped { folder } => write!(f, "stopped, in {}", folder.display()),
            Status::Running { folder, pid, port } => {
                write!(f, "running on port {port} as process {pid}, in {}", folder.display())
            }
        }
    }
}
