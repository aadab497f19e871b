//! The runner's own connections. They are plain sessions, never borrowed from the user's pool, so that handlers
//! cannot starve the runner.

use std::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgTransactionManager};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection, PgPool, Postgres, SqlSafeStr, SqlStr,
    Transaction,
};
use sqlx_core::transaction::TransactionManager;
use tokio::time::{sleep, timeout};
use tracing::warn;

use crate::Error;

/// How long one try to connect may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one statement may take before its session is given up.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest wait between two tries.
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);

/// Whether commits of a session wait for the disk. What an asynchronous commit loses in a server crash runs
/// again; nothing of it is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Commit {
    /// As the server is set.
    Durable,
    /// `synchronous_commit = off`.
    Asynchronous,
}

/// What is between the runner and the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// Nothing: a session is the runner's for as long as it is open.
    Direct,
    /// A pooler that gives every transaction to any session of the server.
    TransactionPooler,
}

/// No plan flips as statistics change, and none of the planner's time.
const PLANS: [(&str, &str); 5] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_sort", "off"),
    ("jit", "off"),
];

const ASYNCHRONOUS: (&str, &str) = ("synchronous_commit", "off");

/// How one of the runner's sessions is set up.
#[derive(Debug, Clone)]
pub(crate) struct SessionOptions {
    connect: PgConnectOptions,
    /// What begins every transaction; none where statements are their own.
    begin: Option<SqlStr>,
}

impl SessionOptions {
    pub(crate) fn new(database: &PgConnectOptions, name: &str, commit: Commit, route: Route) -> Self {
        let named = database.clone().application_name(name).log_statements(tracing::log::LevelFilter::Off);
        let settings = PLANS.into_iter().chain((commit == Commit::Asynchronous).then_some(ASYNCHRONOUS));
        match route {
            Route::Direct => Self { connect: named.options(settings), begin: None },
            Route::TransactionPooler => {
                let begin = settings.fold("begin".to_owned(), |begin, (setting, value)| {
                    format!("{begin}; set local {setting} = {value}")
                });
                let begin = Some(AssertSqlSafe(begin).into_sql_str());
                // Poolers refuse settings that they do not know; the driver's own is of no use here.
                Self { connect: named.extra_float_digits(None), begin }
            }
        }
    }

    /// Opens a session, or fails after a few seconds.
    pub(crate) async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&self.connect))
            .await
            .unwrap_or_else(|_| Err(timed_out()))
    }

    /// Before a session is used. Behind a pooler that begins a transaction: what one says in it reaches one session
    /// of the server.
    pub(crate) async fn begin(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        match &self.begin {
            Some(begin) => limited(PgTransactionManager::begin(connection, Some(begin.clone()))).await,
            None => Ok(()),
        }
    }

    /// After a session was used, and before what it said is believed.
    pub(crate) async fn commit(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        match &self.begin {
            Some(_) => limited(PgTransactionManager::commit(connection)).await,
            None => Ok(()),
        }
    }

    /// For a pool of one that only serves as home of a listening session.
    pub(crate) fn into_inner(self) -> PgConnectOptions {
        self.connect
    }
}

/// Begins a transaction on a pool that is not ours, as the statement says. It goes on to its end also if this is
/// dropped: the driver forgets a `begin` that was not answered (sqlx #4385), and whoever got the session next would be
/// inside of a transaction.
pub(crate) async fn begin(
    pool: &PgPool,
    statement: Option<SqlStr>,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let connection = pool.acquire().await?;
    // Ends with the server's answer.
    let begun = tokio::spawn(Transaction::begin(connection, statement));
    begun.await.unwrap_or_else(|_| Err(sqlx::Error::PoolClosed))
}

/// One session that is opened when needed and thrown away whenever anything went wrong on it: a session on
/// which a statement failed, timed out or was dropped half-way may still be inside a transaction.
pub(crate) struct Session {
    options: SessionOptions,
    open: Option<PgConnection>,
}

impl Session {
    pub(crate) fn new(options: SessionOptions) -> Self {
        Self { options, open: None }
    }

    /// Takes the session out for one use. It is kept only if the use ends in [`Lent::keep`].
    pub(crate) async fn lend(&mut self) -> Result<Lent<'_>, sqlx::Error> {
        let mut connection = match self.open.take() {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        self.options.begin(&mut connection).await?;
        Ok(Lent { options: &self.options, home: &mut self.open, connection: Some(connection) })
    }

    /// Says goodbye to the server.
    pub(crate) async fn close(mut self) {
        if let Some(connection) = self.open.take() {
            // The server notices a lost session by itself; there is nothing more to do about an error.
            let _ = timeout(CONNECT_TIMEOUT, connection.close()).await;
        }
    }
}

/// A session in use.
pub(crate) struct Lent<'a> {
    options: &'a SessionOptions,
    home: &'a mut Option<PgConnection>,
    connection: Option<PgConnection>,
}

impl Lent<'_> {
    /// Everything went well: the session can be used again. Nothing that it said counts if this fails.
    pub(crate) async fn keep(mut self) -> Result<(), sqlx::Error> {
        if let Some(mut connection) = self.connection.take() {
            self.options.commit(&mut connection).await?;
            *self.home = Some(connection);
        }
        Ok(())
    }
}

impl Deref for Lent<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect("held until keep() consumes the loan")
    }
}

impl DerefMut for Lent<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("held until keep() consumes the loan")
    }
}

/// Gives a statement its time; what takes longer counts as a lost session.
pub(crate) async fn limited<T>(
    statement: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    timeout(STATEMENT_TIMEOUT, statement).await.unwrap_or_else(|_| Err(timed_out()))
}

/// The error of what took too long.
pub(crate) fn timed_out() -> sqlx::Error {
    sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())
}

/// Tries to reach the database at start, for a limited time.
pub(crate) struct Patience {
    options: SessionOptions,
    limit: Duration,
    started: Instant,
    tries: u32,
    backoff: Backoff,
}

impl Patience {
    pub(crate) fn new(options: SessionOptions, limit: Duration) -> Self {
        Self { options, limit, started: Instant::now(), tries: 0, backoff: Backoff::default() }
    }

    pub(crate) async fn connect(&mut self) -> Result<PgConnection, Error> {
        loop {
            match self.options.connect().await {
                Ok(connection) => return Ok(connection),
                Err(error) => self.again(error).await?,
            }
        }
    }

    /// Waits before another try, or ends them with what the last one said.
    pub(crate) async fn again(&mut self, source: sqlx::Error) -> Result<(), Error> {
        if refuses_settings(&source) {
            return Err(Error::Pooler(source));
        }
        self.tries += 1;
        let (tries, waited) = (self.tries, self.started.elapsed());
        if waited >= self.limit || is_final(&source) {
            return Err(Error::Unreachable {
                address: address(&self.options.connect),
                tries,
                waited,
                source,
            });
        }
        warn!(error = %source, tries, "the database cannot be reached; trying again");
        self.backoff.wait().await;
        Ok(())
    }
}

/// A pool of one that only serves as home of a listening session.
pub(crate) async fn listening_pool(options: SessionOptions) -> Result<PgPool, sqlx::Error> {
    PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .acquire_timeout(CONNECT_TIMEOUT)
        .connect_with(options.into_inner())
        .await
}

/// Whether no further try can help: the password is wrong, or the database does not exist.
fn is_final(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|e| e.code().map(|code| code.into_owned()));
    code.is_some_and(|code| code.starts_with("28") || code == "3D000")
}

/// Whether a pooler does not let a session have settings of its own.
fn refuses_settings(error: &sqlx::Error) -> bool {
    let message = error.as_database_error().map(|error| error.message().to_owned());
    message.is_some_and(|message| message.starts_with("unsupported startup parameter"))
}

/// Whether the statement itself is at fault and would fail again, as opposed to a lost connection, a restart,
/// a conflict with another session or a full disk.
pub(crate) fn is_permanent(error: &sqlx::Error) -> bool {
    let Some(database) = error.as_database_error() else { return false };
    let code = database.code().unwrap_or_default().into_owned();
    // 08 connection, 25 transaction state, 40 serialization and deadlock, 53 resources, 55 locks, 57 operator
    // intervention and timeouts, 58 system errors.
    !["08", "25", "40", "53", "55", "57", "58"].iter().any(|class| code.starts_with(class))
}

/// Whether somebody else's lock was not given up in the time that this transaction waits for one.
pub(crate) fn is_locked(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("55P03"))
}

fn address(options: &PgConnectOptions) -> String {
    let place = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    format!("{} on {place}", options.get_database().unwrap_or(options.get_username()))
}

/// Waits between tries: 50 ms doubling to 2 s, each cut by up to a half at random.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    pub(crate) async fn wait(&mut self) {
        let full = Duration::from_millis(50).saturating_mul(1 << self.failures.min(10)).min(LONGEST_BACKOFF);
        self.failures += 1;
        sleep(full.mul_f64(1.0 - fastrand::f64() / 2.0)).await;
    }

    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}
