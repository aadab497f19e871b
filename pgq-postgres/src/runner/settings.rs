use std::collections::HashMap;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::connection::{Commit, Route};
use crate::{Error, Schema};

/// Jobs that run at a time in one runner: twice the connections of sqlx's default pool, so that handlers which
/// spend half their time elsewhere keep the pool busy without queueing for it.
pub(crate) const DEFAULT_SLOTS: usize = 20;

/// The most slots a runner can have.
pub(crate) const MAX_SLOTS: usize = 10_000;

/// How often a runner says that it lives, unless set otherwise.
pub(crate) const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(2);

/// A runner is dead when it was silent for so many intervals: 30 seconds.
pub(crate) const DEAD_AFTER_BEATS: u32 = 15;

/// Or for so many, while the lock of its session is free: 6 seconds. A killed process frees it at once.
pub(crate) const DEAD_AFTER_BEATS_UNLOCKED: u32 = 3;

/// After so many crashes a job is discarded.
pub(crate) const MAX_CRASHES: i16 = 3;

/// How long a cancelled handler may take to return before it is dropped, unless set otherwise.
pub(crate) const CANCEL_GRACE: Duration = Duration::from_secs(5);

/// How often finished jobs are pruned, unless set otherwise.
pub(crate) const PRUNE_INTERVAL: Duration = Duration::from_secs(60);

/// Less would keep the database busy; more would keep finished jobs far beyond their age.
const SHORTEST_PRUNE_INTERVAL: Duration = Duration::from_millis(1);
const LONGEST_PRUNE_INTERVAL: Duration = Duration::from_secs(86_400);

/// How a runner was set up.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) database: Database,
    pub(crate) schema: Schema,
    pub(crate) queues: Option<Vec<String>>,
    pub(crate) slots: usize,
    pub(crate) poll_interval: Duration,
    pub(crate) heartbeat_interval: Duration,
    pub(crate) listen: bool,
    pub(crate) keep_completed: Option<Duration>,
    pub(crate) keep_discarded: Duration,
    pub(crate) keep_cancelled: Duration,
    pub(crate) queue_limits: HashMap<String, usize>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) grace: Duration,
    pub(crate) cancel_grace: Duration,
    pub(crate) prune_interval: Duration,
    pub(crate) start_patience: Duration,
    pub(crate) signals: bool,
    pub(crate) commit: Commit,
    pub(crate) route: Route,
}

/// Where the database is.
#[derive(Debug, Clone)]
pub(crate) enum Database {
    /// At `DATABASE_URL`.
    FromEnvironment,
    /// Where a pool of the user's goes.
    Of(PgPool),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            database: Database::FromEnvironment,
            schema: Schema::default(),
            queues: None,
            slots: DEFAULT_SLOTS,
            poll_interval: Duration::from_secs(1),
            heartbeat_interval: HEARTBEAT_INTERVAL,
            listen: true,
            keep_completed: None,
            keep_discarded: Duration::from_secs(7 * 86_400),
            keep_cancelled: Duration::from_secs(7 * 86_400),
            queue_limits: HashMap::new(),
            timeout: None,
            grace: Duration::from_secs(30),
            cancel_grace: CANCEL_GRACE,
            prune_interval: PRUNE_INTERVAL,
            start_patience: Duration::from_secs(30),
            signals: true,
            commit: Commit::Asynchronous,
            route: Route::Direct,
        }
    }
}

impl Settings {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let wrong = |text: String| Err(Error::Setting(text));
        if !(1..=MAX_SLOTS).contains(&self.slots) {
            return wrong(format!("slots is {}: use 1 to {MAX_SLOTS}", self.slots));
        }
        if let Some(queue) =
            self.queue_limits.iter().find_map(|(queue, limit)| (*limit == 0).then_some(queue))
        {
            return wrong(format!(
                "the limit of queue {queue} is 0: pause the queue, or leave it out of .queues(..)"
            ));
        }
        if self.poll_interval < Duration::from_millis(1) {
            return wrong("poll_interval is under a millisecond: that would keep the database busy".into());
        }
        if self.heartbeat_interval < Duration::from_millis(100) {
            return wrong(
                "heartbeat_interval is under 100 ms: a busy machine would be taken for dead".into(),
            );
        }
        if !(SHORTEST_PRUNE_INTERVAL..=LONGEST_PRUNE_INTERVAL).contains(&self.prune_interval) {
            return wrong(format!("prune_interval is {:?}: use 1 ms to 1 day", self.prune_interval));
        }
        if self.timeout.is_some_and(|timeout| timeout.is_zero()) {
            return wrong("timeout is zero: no attempt could finish".into());
        }
        Ok(())
    }

    pub(crate) fn connect_options(&self) -> Result<PgConnectOptions, Error> {
        match &self.database {
            Database::Of(pool) => Ok((*pool.connect_options()).clone()),
            Database::FromEnvironment => match std::env::var("DATABASE_URL") {
                Ok(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                    url.parse().map_err(|error: sqlx::Error| Error::DatabaseUrl(error.to_string()))
                }
                Ok(url) if !url.is_empty() => Err(Error::DatabaseUrl("it begins otherwise".into())),
                _ => Err(Error::NoDatabase),
            },
        }
    }

    /// The user's pool, or one for handlers where there is none. Opens nothing before it is used.
    pub(crate) fn handlers_pool(&self, database: &PgConnectOptions) -> PgPool {
        match &self.database {
            Database::Of(pool) => pool.clone(),
            Database::FromEnvironment => {
                let options = database.clone();
                PgPoolOptions::new().connect_lazy_with(match self.route {
                    Route::Direct => options,
                    Route::TransactionPooler => options.extra_float_digits(None).statement_cache_capacity(0),
                })
            }
        }
    }
}
