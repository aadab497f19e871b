//! A TCP proxy on loopback that stands between a runner and its Postgres and fails on command.

mod connection;
mod replies;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, PgPool};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use connection::{reset, serve};

/// A proxy of one server. Everything connected through it is cut when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    url: String,
    server: Arc<Mutex<Address>>,
    weather: watch::Sender<Weather>,
    observer: Arc<Observer>,
    acceptor: JoinHandle<()>,
}

/// Host and port of a server.
type Address = (String, u16);

/// What the connections are subject to.
#[derive(Debug, Clone, Copy)]
struct Weather {
    accepts: bool,
    forwards: bool,
    delay: Duration,
    /// How many bytes may pass each way in a second, if that is limited.
    bytes_per_second: Option<u32>,
    /// What a connection that is made now remembers.
    age: u64,
    /// Connections of an earlier age than these have lost their client, and their server.
    clients_cut: u64,
    servers_cut: u64,
}

/// The reply that gets lost next.
#[derive(Debug)]
struct Loss {
    session: String,
    tag: String,
    happened: oneshot::Sender<()>,
}

/// What reads the server's replies.
#[derive(Debug, Default)]
struct Observer {
    loss: Mutex<Option<Loss>>,
    /// How many bytes more may pass before a connection is cut in the middle of what it says.
    cut_after: Mutex<Option<u64>>,
    /// How many statements the server has completed, by the session's name.
    statements: Mutex<BTreeMap<String, u64>>,
}

impl Observer {
    fn loss(&self) -> MutexGuard<'_, Option<Loss>> {
        self.loss.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn statements(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much of so many bytes may pass; less than all once, to the connection that is to be cut.
    fn allowance(&self, bytes: usize) -> usize {
        let mut cut_after = self.cut_after.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(left) = *cut_after else { return bytes };
        let rest = left.checked_sub(bytes as u64);
        *cut_after = rest;
        if rest.is_some() { bytes } else { usize::try_from(left).unwrap_or(bytes) }
    }
}

impl Proxy {
    /// A proxy of the server of that URL, which must be one that is reached by TCP.
    ///
    /// # Panics
    /// If the URL is none, or there is no free port.
    pub async fn start(database_url: &str) -> Self {
        let options: PgConnectOptions = database_url.parse().unwrap();
        assert!(options.get_socket().is_none(), "the proxy speaks TCP only");
        let server = (options.get_host().to_owned(), options.get_port());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = options.host("127.0.0.1").port(port).to_url_lossy().to_string();
        let fair = Weather {
            accepts: true,
            forwards: true,
            delay: Duration::ZERO,
            bytes_per_second: None,
            age: 0,
            clients_cut: 0,
            servers_cut: 0,
        };
        let (weather, forecast) = watch::channel(fair);
        let observer = Arc::<Observer>::default();
        let server = Arc::new(Mutex::new(server));
        let acceptor = tokio::spawn(accept(listener, server.clone(), forecast, observer.clone()));
        Self { url, server, weather, observer, acceptor }
    }

    /// The URL of the same database through the proxy.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A pool whose connections go through the proxy.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn pool(&self) -> PgPool {
        PgPoolOptions::new().max_connections(5).connect_lazy(&self.url).unwrap()
    }

    /// Resets all connections, on both sides.
    pub fn cut(&self) {
        self.change(|weather| {
            weather.age += 1;
            weather.clients_cut = weather.age;
            weather.servers_cut = weather.age;
        });
    }

    /// Resets all connections on the clients' side only: the server takes them for alive until
    /// [`finish_cut`](Self::finish_cut).
    pub fn cut_clients(&self) {
        self.change(|weather| {
            weather.age += 1;
            weather.clients_cut = weather.age;
        });
    }

    /// Lets the server know of the connections that lost their client.
    pub fn finish_cut(&self) {
        self.change(|weather| weather.servers_cut = weather.clients_cut);
    }

    /// Resets new connections as soon as they are made.
    pub fn refuse(&self) {
        self.change(|weather| weather.accepts = false);
    }

    /// Forwards nothing more in either direction; connections stay open and new ones are accepted.
    pub fn black_hole(&self) {
        self.change(|weather| weather.forwards = false);
    }

    /// Keeps everything for that long before it is forwarded, in each direction.
    pub fn delay(&self, delay: Duration) {
        self.change(|weather| weather.delay = delay);
    }

    /// Forwards so many bytes a second at most, in each direction of each connection.
    ///
    /// # Panics
    /// At none: that is [`black_hole`](Self::black_hole).
    pub fn throttle(&self, bytes_per_second: u32) {
        assert!(bytes_per_second > 0, "nothing would pass at all");
        self.change(|weather| weather.bytes_per_second = Some(bytes_per_second));
    }

    /// Resets a connection in the middle of what it says: the one that is due when so many bytes more have passed, of all
    /// connections and in both directions.
    pub fn cut_after(&self, bytes: u64) {
        *self.observer.cut_after.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
    }

    /// Sends connections that are made from now on to another server on this machine.
    pub fn switch(&self, port: u16) {
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = ("127.0.0.1".into(), port);
    }

    /// Accepts and forwards again, also what was held back.
    pub fn heal(&self) {
        *self.observer.cut_after.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.change(|weather| {
            *weather = Weather {
                accepts: true,
                forwards: true,
                delay: Duration::ZERO,
                bytes_per_second: None,
                ..*weather
            };
        });
    }

    /// Swallows the next reply to a session of that application name whose command tag begins like that, for
    /// example `INSERT 0 1`, and cuts its connection: the server has committed, the client does not know.
    /// The receiver tells when it has happened.
    pub fn lose_reply(&self, session: &str, tag: &str) -> oneshot::Receiver<()> {
        let (happened, when) = oneshot::channel();
        *self.observer.loss() = Some(Loss { session: session.into(), tag: tag.into(), happened });
        when
    }

    /// How many statements the server has completed through the proxy since the last time this was asked, by the
    /// application name of their sessions.
    pub fn take_statements(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.observer.statements())
    }

    fn change(&self, change: impl FnOnce(&mut Weather)) {
        self.weather.send_modify(change);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

async fn accept(
    listener: TcpListener,
    server: Arc<Mutex<Address>>,
    weather: watch::Receiver<Weather>,
    observer: Arc<Observer>,
) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let now = *weather.borrow();
        if now.accepts {
            let server = server.lock().unwrap_or_else(PoisonError::into_inner).clone();
            connections.spawn(serve(client, server, weather.clone(), now.age, observer.clone()));
        } else {
            reset(client);
        }
    }
}
