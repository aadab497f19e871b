//! `cargo xtask test --roles`: the suite under the roles of `migrations/grants.sql`.
//!
//! The tests go to their server through a switchboard. It knows the library's statements by their text and has each
//! run in the role that is meant to run it, whoever the test is: enqueues as the producer, what operators do as the
//! operator, and all sessions of a runner as the runner. What a test says itself, to look at a table or to break
//! one, runs as the superuser that it is.

mod plan;
mod sessions;
mod wire;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result};

use plan::Plan;
use sessions::Session;

/// The switchboard, which works for as long as this program does.
pub(crate) struct Switchboard {
    url: String,
    plan: Arc<Plan>,
}

impl Switchboard {
    /// Opens one before the server at `url`.
    pub(crate) fn open(url: &str) -> Result<Switchboard> {
        let plan = Arc::new(Plan::read()?);
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("cannot listen for the tests")?;
        let address = listener.local_addr()?;
        let server = place(url)?.to_owned();
        let switchboard =
            Switchboard { url: url.replacen(&server, &address.to_string(), 1), plan: plan.clone() };
        thread::spawn(move || serve(&listener, &server, &plan));
        Ok(switchboard)
    }

    /// Where the tests find it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Whether a statement of the library went through it.
    pub(crate) fn knew_something(&self) -> bool {
        self.plan.knew_something()
    }

    /// What went through it.
    pub(crate) fn report(&self) -> String {
        self.plan.report()
    }
}

fn serve(listener: &TcpListener, server: &str, plan: &Arc<Plan>) {
    for client in listener.incoming().flatten() {
        // A server that is down refuses, and so do we.
        if let Ok(server) = TcpStream::connect(server) {
            Session::start(client, server, plan.clone());
        }
    }
}

/// Host and port in a URL.
fn place(url: &str) -> Result<&str> {
    let authority = url.split_once("://").map(|(_, rest)| rest.split(['/', '?']).next().unwrap_or(rest));
    let place = authority.map(|authority| authority.rsplit_once('@').map_or(authority, |(_, place)| place));
    place
        .filter(|place| place.parse::<SocketAddr>().is_ok() || place.contains(':'))
        .context("--roles needs a server at host:port in DATABASE_URL")
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn the_place_of_a_server_is_found_in_its_url() {
        assert_eq!(place("postgres://u:p@127.0.0.1:5432/db?x=1").unwrap(), "127.0.0.1:5432");
        assert_eq!(place("postgres://localhost:1/db").unwrap(), "localhost:1");
        assert!(place("postgres:///db?host=/run").is_err());
    }
}
