//! The Postgres that a command's programs work with.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use pgq_devdb::{Binaries, Server};

/// A server for the length of a command. One that it started is stopped when this is dropped.
pub(crate) struct Postgres {
    url: String,
    binaries: Option<PathBuf>,
    started: Option<Server>,
}

impl Postgres {
    /// The server in the folder `binaries` if given, or `DATABASE_URL`, or the development server.
    pub(crate) fn open(binaries: Option<&Path>) -> Result<Postgres> {
        let given = env::var("DATABASE_URL").ok().filter(|url| !url.is_empty());
        match (binaries, given) {
            (Some(folder), _) => {
                let binaries = Binaries::in_folder(folder)?;
                let server = Server::shared_from(&binaries)?;
                Ok(Postgres::of(server, Some(binaries.folder().into())))
            }
            (None, Some(url)) => Ok(Postgres { url, binaries: None, started: None }),
            (None, None) => Ok(Postgres::of(Server::shared()?, None)),
        }
    }

    fn of(server: Server, binaries: Option<PathBuf>) -> Postgres {
        Postgres { url: server.url(), binaries, started: Some(server).filter(Server::started_here) }
    }

    /// Tells a program about it.
    pub(crate) fn give_to(&self, command: &mut Command) {
        command.env("DATABASE_URL", &self.url);
        if let Some(folder) = &self.binaries {
            command.env("PGQ_POSTGRES_BIN", folder);
        }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Stops it if this command started it; the next one finds things as they were.
    pub(crate) fn close(mut self) -> Result<()> {
        self.started.take().map_or(Ok(()), |server| Ok(server.stop()?))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // On the way out of an error, which says more than this one would.
        let _ = self.started.take().map(|server| server.stop());
    }
}
