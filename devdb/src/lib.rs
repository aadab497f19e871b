//! A real Postgres for tests, examples, the demo and benchmarks, with nothing to set up.
//!
//! [`url`] answers with `DATABASE_URL` if that is set. Otherwise it starts a development server of its
//! own under `target/postgres/<major version>/`, or finds it running from last time, and answers with
//! its URL. The server outlives the process that started it; `cargo xtask db stop` stops it, and
//! deleting the folder afterwards removes every trace.
//!
//! # Where the server comes from
//!
//! The first of these folders that holds `initdb`, `pg_ctl` and `postgres`: `PGQ_POSTGRES_BIN`, what
//! `pg_config --bindir` names, every folder of `PATH`, then the usual places of Debian, Homebrew and
//! Postgres.app, newest version first. If there is none, Debian's package is installed (only as root,
//! where `apt-get` exists), and failing that a build of Postgres is downloaded into
//! `target/postgres-download/`.
//!
//! # What it is like
//!
//! It listens on 127.0.0.1 on a free port, behind a random password, and keeps Postgres's own
//! durability settings, so that figures measured on it mean something. Postgres refuses to run as
//! root; there it runs as `postgres`, or else `nobody`. `PGQ_DEVDB_DIR` moves its folder.
//!
//! # A database for each test
//!
//! [`test_database`] and [`run`] clone a database from a prepared template, hand it to the test and
//! drop it afterwards, also when the test panics. [`Server::start_in`] starts a private server for
//! tests that want to crash one.
//!
//! It runs on Unix only, and never touches a server that it did not start.

mod error;
mod server;
mod shared;

mod binaries;
mod cluster;
mod folder;
mod install;
mod postmaster;
mod process;
mod start;
mod user;

#[cfg(feature = "database")]
mod admin;
#[cfg(feature = "database")]
mod database;
#[cfg(feature = "download")]
mod download;
#[cfg(feature = "database")]
mod template;
#[cfg(feature = "database")]
mod testing;

pub use binaries::Binaries;
#[cfg(feature = "database")]
pub use database::Database;
#[cfg(feature = "download")]
pub use download::download;
pub use error::Error;
pub use server::Server;
pub use shared::{Status, url};
#[cfg(feature = "database")]
pub use template::Template;
#[cfg(feature = "database")]
pub use testing::{run, test_database};

/// What the functions of this crate return.
pub type Result<T> = std::result::Result<T, Error>;
