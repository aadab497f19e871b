//! A running server that a test or a command holds.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use crate::binaries::Binaries;
use crate::cluster::{self, NAME};
use crate::error::Error;
use crate::folder::{self, Folder, Lock};
use crate::install;
use crate::postmaster::{POLL, Postmaster, START_TIMEOUT};
use crate::process;
use crate::start::{self, Port, Stop};

/// A Postgres server of ours: the [shared](Server::shared) one, or a [private](Server::start_in) one,
/// which is stopped when this is dropped.
#[derive(Debug)]
pub struct Server {
    folder: Folder,
    binaries: Binaries,
    port: u16,
    password: String,
    is_private: bool,
    started_here: bool,
}

impl Server {
    /// The shared development server, started if it is not up.
    ///
    /// # Errors
    ///
    /// If there is no Postgres and none can be installed, or it does not start.
    pub fn shared() -> Result<Server, Error> {
        let base = folder::base()?;
        let _lock = Lock::of(&base)?;
        let binaries = install::find_or_install(&base)?;
        Server::open_shared(&base, binaries)
    }

    /// The same, of the Postgres in the folder `binaries`.
    ///
    /// # Errors
    ///
    /// As [`Server::shared`].
    pub fn shared_from(binaries: &Binaries) -> Result<Server, Error> {
        let base = folder::base()?;
        let _lock = Lock::of(&base)?;
        Server::open_shared(&base, binaries.clone())
    }

    fn open_shared(base: &Path, binaries: Binaries) -> Result<Server, Error> {
        let folder = Folder::open(&base.join(binaries.major()?.to_string()))?;
        let server = Server::open(folder, binaries, false)?;
        let wanted = folder::wanted_base()?;
        if server.started_here && base != wanted {
            let (wanted, used) = (wanted.display(), server.folder().display());
            eprintln!("the server's user cannot reach {wanted}, so its data is in {used}");
        }
        Ok(server)
    }

    /// Starts a private server in `dir`, which is made if need be. As root, `dir` changes hands to the
    /// unprivileged user that the server runs as.
    ///
    /// Dropping it stops the server and leaves the files; a later call with the same folder goes on with
    /// them.
    ///
    /// # Errors
    ///
    /// As [`Server::shared`].
    pub fn start_in(dir: &Path) -> Result<Server, Error> {
        let base = folder::base()?;
        let binaries = {
            let _lock = Lock::of(&base)?;
            install::find_or_install(&base)?
        };
        let folder = Folder::open(dir)?;
        let _lock = Lock::of(&folder.path)?;
        Server::open(folder, binaries, true)
    }

    fn open(folder: Folder, binaries: Binaries, is_private: bool) -> Result<Server, Error> {
        let running = Postmaster::ready(&folder)?;
        let postmaster = match running {
            Some(postmaster) => postmaster,
            None => {
                cluster::create(&folder, &binaries)?;
                start::start(&folder, &binaries, Port::Any)?
            }
        };
        let path = folder.password_file();
        let password = fs::read_to_string(&path).map_err(Error::file("read", path))?;
        let started_here = running.is_none();
        Ok(Server { folder, binaries, port: postmaster.port, password, is_private, started_here })
    }

    /// The URL of the database `pgq`, for the superuser.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_for(NAME)
    }

    /// The URL of another database on it, which need not exist yet.
    #[must_use]
    pub fn url_for(&self, database: &str) -> String {
        format!("postgres://{NAME}:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// The port on 127.0.0.1. A private server keeps it over restarts.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder with its data, password and log.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder.path
    }

    /// Whether this call started it, rather than finding it up.
    #[must_use]
    pub fn started_here(&self) -> bool {
        self.started_here
    }

    /// The process id of the postmaster.
    ///
    /// # Errors
    ///
    /// [`Error::NotRunning`] if it is down.
    pub fn pid(&self) -> Result<u32, Error> {
        let not_running = || Error::NotRunning { folder: self.folder.path.clone() };
        Postmaster::of(&self.folder).map(|postmaster| postmaster.pid).ok_or_else(not_running)
    }

    /// Stops it in good order, ending all sessions. Does nothing if it is down.
    ///
    /// # Errors
    ///
    /// If it does not stop in time.
    pub fn stop(&self) -> Result<(), Error> {
        start::stop(&self.folder, &self.binaries, Stop::Fast).map(drop)
    }

    /// Stops it as a crash would, but in every process at once; the next start recovers.
    ///
    /// # Errors
    ///
    /// If it does not stop in time.
    pub fn stop_immediate(&self) -> Result<(), Error> {
        start::stop(&self.folder, &self.binaries, Stop::Immediate).map(drop)
    }

    /// Starts it again on the same port, after stopping it if it is up.
    ///
    /// # Errors
    ///
    /// If it does not start, or somebody else has taken the port and keeps it.
    pub fn restart(&self) -> Result<(), Error> {
        let _lock = Lock::of(self.lock_folder())?;
        start::stop(&self.folder, &self.binaries, Stop::Fast)?;
        start::start(&self.folder, &self.binaries, Port::Fixed(self.port)).map(drop)
    }

    /// Kills the postmaster with SIGKILL, and returns when its children have noticed and are gone too.
    ///
    /// # Errors
    ///
    /// [`Error::NotRunning`] if it is down already.
    pub fn kill(&self) -> Result<(), Error> {
        let postmaster = self.pid()?;
        let children = process::children(postmaster);
        process::kill(postmaster)?;
        let deadline = Instant::now() + START_TIMEOUT;
        while children.iter().any(|child| process::is_alive(*child)) {
            if Instant::now() > deadline {
                return Err(Error::NotReady {
                    folder: self.folder.path.clone(),
                    log: self.folder.log_tail(0),
                });
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// The shared servers of all versions have one lock, taken before the version is known.
    fn lock_folder(&self) -> &Path {
        let own = self.folder();
        if self.is_private { own } else { own.parent().unwrap_or(own) }
    }

    /// Stops the shared server; says whether it was up.
    ///
    /// # Errors
    ///
    /// If it does not stop in time.
    pub fn stop_shared() -> Result<bool, Error> {
        let base = folder::base()?;
        let _lock = Lock::of(&base)?;
        let Some((folder, binaries)) = existing(&base)? else { return Ok(false) };
        start::stop(&folder, &binaries, Stop::Fast)
    }
}

/// The shared server's folder, if there is one; installs nothing and makes nothing.
pub(crate) fn existing(base: &Path) -> Result<Option<(Folder, Binaries)>, Error> {
    let binaries = match Binaries::find_beside(base) {
        Err(Error::NoBinaries { .. }) => return Ok(None),
        found => found?,
    };
    let path: PathBuf = base.join(binaries.major()?.to_string());
    if path.exists() { Ok(Some((Folder::open(&path)?, binaries))) } else { Ok(None) }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.is_private {
            // Nobody is left to hear of a failure, and a server that was killed is no failure.
            let _ = self.stop();
        }
    }
}
