//! Everything that can go wrong between "no server" and "here is a database".

use std::io;
use std::path::PathBuf;

/// Why there is no Postgres to be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A server could neither be found nor installed.
    #[error(
        "no Postgres server was found, and none could be installed: {reason}\n\
         set DATABASE_URL to a server of yours, or install one:\n  \
         Debian, Ubuntu: sudo apt-get install postgresql\n  \
         Fedora:         sudo dnf install postgresql-server\n  \
         macOS:          brew install postgresql@17"
    )]
    NoBinaries {
        /// What stood in the way of the automatic installation.
        reason: String,
    },

    /// A folder was named explicitly and is not a Postgres.
    #[error("{} lacks an executable initdb, pg_ctl or postgres; name the bin folder of a Postgres server", folder.display())]
    NotBinaries {
        /// The folder that was named.
        folder: PathBuf,
    },

    /// A folder or file of the server could not be used.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },

    /// The folder lies where the server's unprivileged user cannot go.
    #[error("user {user} cannot reach {}; use a folder whose parents everybody may enter", folder.display())]
    Unreachable {
        /// The folder of the server.
        folder: PathBuf,
        /// The user that the server would run as.
        user: String,
    },

    /// A fallback folder in the temporary directory belongs to somebody else.
    #[error("{} was not made by this user; remove it, or set PGQ_DEVDB_DIR to another folder", folder.display())]
    Foreign {
        /// The folder that cannot be trusted.
        folder: PathBuf,
    },

    /// Running as root with no unprivileged user to hand the server to.
    #[error("Postgres does not run as root, and neither user postgres nor nobody exists; set DATABASE_URL")]
    NoUser,

    /// A program could not be run at all.
    #[error("cannot run {program}")]
    Spawn {
        /// The program.
        program: String,
        /// The system's reason.
        source: io::Error,
    },

    /// One of Postgres's programs ran and failed.
    #[error("{program} failed ({status}); it said:\n{output}")]
    Failed {
        /// The program.
        program: String,
        /// How it ended.
        status: String,
        /// The last lines of what it wrote, and of the server's log.
        output: String,
    },

    /// The server was started by another process and does not become ready.
    #[error("the server in {} does not get ready; its log says:\n{log}", folder.display())]
    NotReady {
        /// The folder of the server.
        folder: PathBuf,
        /// The last lines of its log.
        log: String,
    },

    /// The server is not running, so there is nothing to ask or to signal.
    #[error("the server in {} is not running; restart it first", folder.display())]
    NotRunning {
        /// The folder of the server.
        folder: PathBuf,
    },

    /// A URL without `scheme://`.
    #[error("DATABASE_URL is not a URL; write postgres://user:password@host:port/database")]
    Url,

    /// The server refused a statement or a connection.
    #[cfg(feature = "database")]
    #[error("cannot {action}")]
    Database {
        /// What was tried, as a verb.
        action: &'static str,
        /// The driver's reason.
        source: sqlx::Error,
    },

    /// The caller's preparation of a template failed.
    #[cfg(feature = "database")]
    #[error("cannot prepare the template database")]
    Prepare {
        /// What the preparation returned.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// The download of the server's binaries failed.
    #[cfg(feature = "download")]
    #[error("cannot download Postgres")]
    Download {
        /// The downloader's reason.
        source: postgresql_embedded::Error,
    },
}

impl Error {
    /// For `map_err` on file operations.
    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::File { action, path, source }
    }
}
