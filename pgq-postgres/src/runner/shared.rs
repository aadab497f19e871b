use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicUsize};
use std::time::{Duration, Instant};

use pgq_core::{Handler, Retry};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::{Mutex, Notify};
use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use uuid::Uuid;

#[cfg(feature = "cron")]
use super::declare::Declaration;
use super::handle::{Counts, RunnerHandle, add};
use super::ledger::Ledger;
use super::liveness::Liveness;
use super::room::Room;
use super::running::RunningJobs;
use super::settings::Settings;
use super::tally::Tally;
use crate::connection::{Commit, Route, Session, SessionOptions};
use crate::meter::{JobMeter, RunnerMeter};
use crate::sql::Statements;

/// How long a statement may take when the runner must stop now.
const LAST_STATEMENT: Duration = Duration::from_secs(2);

/// No queue.
pub(crate) const NONE: usize = usize::MAX;

/// What all parts of one runner know.
pub(crate) struct Shared {
    /// Fresh at every start: it owns this run's leases.
    pub(crate) id: Uuid,
    /// Host and process, for people.
    pub(crate) name: String,
    pub(crate) settings: Settings,
    pub(crate) database: PgConnectOptions,
    pub(crate) kinds: Kinds,
    pub(crate) queues: Vec<String>,
    pub(crate) ledger: Ledger,
    pub(crate) liveness: Liveness,
    pub(crate) meter: RunnerMeter,
    pub(crate) room: Room,
    /// What it has done, for people who look.
    pub(crate) tally: Tally,
    /// How many living runners share all of this one's work, itself among them.
    pub(crate) alike: AtomicU32,
    /// Something may be claimable.
    pub(crate) wake: Notify,
    /// Which of the queues the latest notification was of; [`NONE`] once a claim has gone by it.
    pub(crate) told_of: AtomicUsize,
    /// Another runner may be dead.
    pub(crate) suspicion: Notify,
    /// Somebody cancelled a job: the next heartbeat should not wait.
    pub(crate) cancellation: Notify,
    /// Somebody changed a schedule.
    pub(crate) schedules: Notify,
    /// What this program's types declare.
    #[cfg(feature = "cron")]
    pub(crate) declarations: Vec<Declaration>,
    /// The jobs that run here, to be cancelled by id.
    pub(crate) running: RunningJobs,
    /// Notes that suspects begin. Opened when the first one does.
    pub(crate) suspects: Mutex<Session>,
    /// What handlers use.
    pub(crate) pool: PgPool,
    pub(crate) handle: RunnerHandle,
    /// Ends the heartbeat, when all else has ended.
    pub(crate) rest: CancellationToken,
}

/// More runners than large claims that are made at a time.
const CROWD: u32 = 3;

impl Shared {
    pub(crate) fn statements(&self) -> &Statements {
        self.settings.schema.statements()
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.handle.counts
    }

    /// The queue of a notification that no claim has gone by.
    pub(crate) fn take_told_of(&self) -> Option<&str> {
        self.queues.get(self.told_of.swap(NONE, Relaxed)).map(String::as_str)
    }

    /// Whether so many runners share all of this one's work that a large claim has others beside it anyway.
    pub(crate) fn in_a_crowd(&self) -> bool {
        self.alike.load(Relaxed) >= CROWD
    }

    pub(crate) fn stopping(&self) -> bool {
        self.handle.stop.is_cancelled()
    }

    /// Returns when a runner that must stop now has had the time for one last statement.
    pub(crate) async fn hurry(&self) {
        self.handle.stop_now.cancelled().await;
        sleep(LAST_STATEMENT).await;
    }

    /// Whether sessions of the server are the runner's, so that statements stay prepared there.
    pub(crate) fn keeps_statements(&self) -> bool {
        self.settings.route == Route::Direct
    }

    /// The options of a session for one part of the runner.
    pub(crate) fn session_options(&self, part: &str, commit: Commit) -> SessionOptions {
        SessionOptions::new(&self.database, &format!("pgq {part}"), commit, self.settings.route)
    }

    /// A session for one part of the runner.
    pub(crate) fn session(&self, part: &str) -> Session {
        session(&self.database, &self.settings, part)
    }

    /// Every failure of the database is survived, counted and told.
    pub(crate) fn survived(&self, part: &str, error: &sqlx::Error) {
        add(&self.counts().database_errors, 1);
        self.meter.database_failed();
        warn!(runner = %self.name, part, %error, "the database failed; trying again");
    }
}

/// Returns at that moment; never if there is none.
pub(crate) async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

/// A session for one part of a runner.
pub(crate) fn session(database: &PgConnectOptions, settings: &Settings, part: &str) -> Session {
    Session::new(SessionOptions::new(database, &format!("pgq {part}"), settings.commit, settings.route))
}

/// A kind as the runner executes it.
pub(crate) struct KnownKind {
    pub(crate) name: &'static str,
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) meter: JobMeter,
    pub(crate) retry: Retry,
    pub(crate) timeout: Option<Duration>,
    pub(crate) transactional: bool,
}

/// The kinds this runner knows, in the form that claiming asks for and in the form that executing does.
#[derive(Default)]
pub(crate) struct Kinds {
    /// Parallel to `versions`.
    pub(crate) names: Vec<String>,
    /// The newest payload version of each.
    pub(crate) versions: Vec<i16>,
    /// Kinds whose jobs get a lease each.
    pub(crate) solo: Vec<String>,
    pub(crate) by_name: HashMap<String, Arc<KnownKind>>,
}
