//! The runner. [`Runner::run`] is the main path; each of its steps has a file of its own:
//! `start` checks and registers, `claim` takes jobs, `execute` performs them, `settle` records what became of
//! them, `heartbeat` keeps the runner's name alive, `rescue` takes back what dead runners held, `shutdown` ends.

mod attempt;
mod batch;
mod claim;
mod claimer;
#[cfg(feature = "cron")]
mod declare;
#[cfg(feature = "testing")]
mod drain;
mod execute;
mod floor;
mod handle;
mod health;
mod heartbeat;
mod ledger;
mod listen;
mod liveness;
mod maintain;
#[cfg(test)]
mod model;
mod pace;
mod poll;
mod prune;
mod release;
mod rescue;
mod room;
mod running;
#[cfg(feature = "cron")]
mod schedule;
mod second;
mod settings;
mod settle;
mod shared;
mod shutdown;
mod slots;
mod span;
mod start;
mod stretch;
mod suspect;
mod tally;
mod unpark;
mod unserved;

use std::sync::Arc;
use std::time::Duration;

use pgq_core::{Job, Middleware, Perform, PerformFor, Registry, RegistryError, States};
use sqlx::PgPool;

use crate::{Error, Schema};
pub use handle::{RunnerCounts, RunnerHandle};
pub use health::Health;
pub(crate) use settings::MAX_CRASHES;
use settings::{Database, Settings};
pub(crate) use shared::Shared;

/// What handlers are bound to.
#[derive(Default)]
pub(crate) struct Bindings {
    states: States,
    middleware: Vec<Arc<dyn Middleware>>,
}

/// Claims jobs and runs them, until told to stop.
///
/// ```no_run
/// # async fn f() -> Result<(), pgq_postgres::Error> {
/// # let app = ();
/// use pgq_postgres::Runner;
/// Runner::from_registry().state(app).run().await?; // DATABASE_URL, until SIGTERM or ctrl-c
/// # Ok(()) }
/// ```
#[must_use = "a runner does nothing until .run()"]
pub struct Runner {
    registry: Result<Registry, RegistryError>,
    bindings: Bindings,
    settings: Settings,
    handle: RunnerHandle,
    on_stop: Option<Box<dyn FnOnce() + Send>>,
}

impl Runner {
    /// A runner of every job linked into this program, those of its dependencies included.
    pub fn from_registry() -> Self {
        Self::of(Registry::linked())
    }

    /// A runner of no jobs yet; add them with [`register`](Self::register).
    pub fn empty() -> Self {
        Self::of(Ok(Registry::default()))
    }

    /// Adds a job type by hand. A second type of the same kind is an error at start.
    pub fn register<J: Perform>(mut self) -> Self {
        self.registry = self.registry.and_then(|mut registry| registry.add::<J>().map(|()| registry));
        self
    }

    /// Adds what performs a job type of another crate. A second handler of the same kind is an error at start.
    pub fn handler<J: Job, P: PerformFor<J>>(mut self, handler: P) -> Self {
        self.registry =
            self.registry.and_then(|mut registry| registry.add_handler::<J, P>(handler).map(|()| registry));
        self
    }

    /// What handlers get from `ctx.state()`. Several states of different types may be given.
    pub fn state<S: Send + Sync + 'static>(mut self, state: S) -> Self {
        self.bindings.states.insert(state);
        self
    }

    /// What runs around every attempt of every job; the first that is given is the outermost.
    pub fn middleware(mut self, middleware: impl Middleware) -> Self {
        self.bindings.middleware.push(Arc::new(middleware));
        self
    }

    /// The database of this pool instead of `DATABASE_URL`. The runner opens its own connections to it and
    /// takes none from the pool.
    pub fn pool(mut self, pool: PgPool) -> Self {
        self.settings.database = Database::Of(pool);
        self
    }

    /// Another schema than `pgq`.
    pub fn schema(mut self, schema: &Schema) -> Self {
        self.settings.schema = schema.clone();
        self
    }

    /// Only these queues; by default those of the registered jobs. Jobs of other queues stay untouched, which
    /// is how separate processes serve separate queues.
    pub fn queues<Q: Into<String>>(mut self, queues: impl IntoIterator<Item = Q>) -> Self {
        self.settings.queues = Some(queues.into_iter().map(Into::into).collect());
        self
    }

    /// How many jobs run at a time; 20 unless set: twice the connections of sqlx's default pool, so
    /// that handlers which spend half their time elsewhere keep the pool busy without queueing for it.
    pub fn slots(mut self, slots: usize) -> Self {
        self.settings.slots = slots;
        self
    }

    /// How often an idle runner looks for jobs that no notification told it of; every second unless set.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.settings.poll_interval = interval;
        self
    }

    /// How often the runner says that it lives; every 2 seconds unless set. Others take its jobs after 3
    /// intervals of silence if its session is gone too, as after a kill, and after 15 in any case.
    pub fn heartbeat_interval(mut self, interval: Duration) -> Self {
        self.settings.heartbeat_interval = interval;
        self
    }

    /// Does without LISTEN: jobs are found by polling alone.
    pub fn without_notify(mut self) -> Self {
        self.settings.listen = false;
        self
    }

    /// Works through a pooler that gives every transaction to any session of the server, as PgBouncer does with
    /// `pool_mode = transaction`. The runner then leaves nothing in a session and expects nothing of one: it does not
    /// LISTEN, holds no lock, prepares nothing for later, and sets what it needs in each transaction. So jobs are found
    /// by polling alone, every statement takes four round trips instead of one, and the jobs of a killed runner wait for
    /// 15 heartbeat intervals instead of 3. `docs/poolers.md` has more.
    pub fn transaction_pooler(mut self) -> Self {
        self.settings.route = crate::connection::Route::TransactionPooler;
        self.settings.listen = false;
        self
    }

    /// Keeps completed jobs in `pgq.finished` for that long instead of deleting them.
    pub fn keep_completed(mut self, age: Duration) -> Self {
        self.settings.keep_completed = Some(age);
        self
    }

    /// How long discarded jobs are kept; seven days unless set.
    pub fn keep_discarded(mut self, age: Duration) -> Self {
        self.settings.keep_discarded = age;
        self
    }

    /// How long cancelled jobs are kept; seven days unless set.
    pub fn keep_cancelled(mut self, age: Duration) -> Self {
        self.settings.keep_cancelled = age;
        self
    }

    /// At most that many jobs of this queue at a time in this runner.
    pub fn queue_limit(mut self, queue: impl Into<String>, jobs: usize) -> Self {
        self.settings.queue_limits.insert(queue.into(), jobs);
        self
    }

    /// How long one attempt may take where neither job nor type says so; without limit unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = Some(timeout);
        self
    }

    /// How long running jobs may go on after a stop before they are cancelled and go back to their queue;
    /// 30 seconds unless set.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.settings.grace = grace;
        self
    }

    /// How long a handler may go on after it was told to end early, by a timeout, a cancel or the end of the
    /// [`grace`](Self::grace), before it is dropped; 5 seconds unless set.
    pub fn cancel_grace(mut self, grace: Duration) -> Self {
        self.settings.cancel_grace = grace;
        self
    }

    /// How often finished jobs that are past their age are deleted; every minute unless set.
    pub fn prune_interval(mut self, interval: Duration) -> Self {
        self.settings.prune_interval = interval;
        self
    }

    /// How long to try to reach the database at start; 30 seconds unless set.
    pub fn start_patience(mut self, patience: Duration) -> Self {
        self.settings.start_patience = patience;
        self
    }

    /// Leaves SIGTERM and ctrl-c alone: the program stops the runner through its [`handle`](Self::handle).
    pub fn without_signals(mut self) -> Self {
        self.settings.signals = false;
        self
    }

    /// Waits for the disk at every commit of the runner, not only at enqueue: fewer jobs run twice after a
    /// server crash, at the cost of speed.
    pub fn durable_commits(mut self) -> Self {
        self.settings.commit = crate::connection::Commit::Durable;
        self
    }

    /// What to do when the runner has stopped.
    pub fn on_stop(mut self, then: impl FnOnce() + Send + 'static) -> Self {
        self.on_stop = Some(Box::new(then));
        self
    }

    /// A handle that stops this runner from elsewhere and tells what it has done.
    pub fn handle(&self) -> RunnerHandle {
        self.handle.clone()
    }

    /// Runs jobs until SIGTERM, ctrl-c or [`RunnerHandle::stop`]; then lets running jobs finish.
    ///
    /// # Errors
    /// Only at start: job types that contradict each other or lack their state, no database, tables that are
    /// not migrated. Once it runs, it survives every failure of the database.
    pub async fn run(self) -> Result<(), Error> {
        let on_stop = self.on_stop;
        let _until_end = self.handle.phase.until_end();
        let mut signals = shutdown::Signals::listen(self.settings.signals);
        let started = start::start(self.registry, &self.bindings, self.settings, self.handle).await?;
        let running = started.spawn();
        shutdown::requested(&running.shared, &mut signals).await;
        shutdown::shut_down(running, &mut signals).await;
        if let Some(then) = on_stop {
            then();
        }
        Ok(())
    }

    /// Runs all jobs that are due, one after the other and in the caller's own task, until none is; those that jobs enqueue for
    /// now and retries without a wait included. Returns the attempts in their order. For tests.
    ///
    /// # Errors
    /// As [`run`](Self::run); besides a failure of the database, and jobs that are still due after 10,000 attempts.
    #[cfg(feature = "testing")]
    pub async fn drain(self) -> Result<Vec<crate::testing::Drained>, Error> {
        let _until_end = self.handle.phase.until_end();
        drain::drain(start::start(self.registry, &self.bindings, self.settings, self.handle).await?).await
    }

    fn of(registry: Result<Registry, RegistryError>) -> Self {
        Self {
            registry,
            bindings: Bindings::default(),
            settings: Settings::default(),
            handle: RunnerHandle::default(),
            on_stop: None,
        }
    }
}
