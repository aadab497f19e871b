use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize};
use std::thread::JoinHandle as ThreadHandle;

use pgq_core::{QueueName, Registry, RegistryError};
use tokio::sync::{Mutex, Notify, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};
use uuid::Uuid;

use super::Bindings;
use super::claim::{Claims, Together};
use super::claimer::Claimer;
#[cfg(feature = "cron")]
use super::declare::declarations;
use super::execute::execute;
use super::handle::RunnerHandle;
use super::heartbeat;
use super::ledger::Ledger;
use super::listen::listen;
use super::liveness::Liveness;
use super::maintain::Maintainer;
use super::room::Room;
use super::running::RunningJobs;
#[cfg(feature = "cron")]
use super::schedule::schedule;
use super::second::second;
use super::settings::Settings;
use super::settle::Settler;
use super::shared::{Kinds, KnownKind, NONE, Shared, session};
use super::tally::Tally;
use crate::connection::{Commit, Patience, SessionOptions, is_permanent};
use crate::meter::{JobMeter, RunnerMeter};
use crate::{Error, migrate};

/// A runner that is registered and whose heart beats, but that claims nothing yet.
pub(crate) struct Started {
    pub(crate) shared: Arc<Shared>,
    pub(crate) heartbeat: ThreadHandle<()>,
    pub(crate) rest: DropGuard,
}

/// A task that ends with the runner, also when the future that runs the runner is dropped.
pub(crate) type Part = AbortOnDropHandle<()>;

/// A runner at work, with everything it must wait for.
pub(crate) struct Running {
    pub(crate) shared: Arc<Shared>,
    pub(crate) claimer: Part,
    pub(crate) second: Part,
    pub(crate) listener: Option<Part>,
    pub(crate) maintainer: Part,
    #[cfg(feature = "cron")]
    pub(crate) scheduler: Part,
    pub(crate) executor: Part,
    pub(crate) settler: Part,
    pub(crate) heartbeat: ThreadHandle<()>,
    /// Lets the heartbeat rest when this is dropped.
    pub(crate) rest: DropGuard,
}

/// Checks everything that can be wrong before the first claim, and registers the runner.
pub(crate) async fn start(
    registry: Result<Registry, RegistryError>,
    bindings: &Bindings,
    settings: Settings,
    handle: RunnerHandle,
) -> Result<Started, Error> {
    settings.check()?;
    let registry = registry?;
    let queues = queues(&registry, &settings)?;
    let kinds = kinds(&registry, bindings)?;
    #[cfg(feature = "cron")]
    let declarations = declarations(&registry, &settings.schema)?;
    let database = settings.connect_options()?;
    let options = SessionOptions::new(&database, "pgq start", Commit::Durable, settings.route);
    check_schema(options, &settings).await?;
    let shared = Arc::new(Shared {
        id: Uuid::new_v4(),
        name: name(),
        kinds,
        ledger: Ledger::default(),
        meter: RunnerMeter::new(settings.slots),
        liveness: Liveness::new(settings.heartbeat_interval, settings.route),
        room: Room::new(settings.slots, &queues, &settings.queue_limits),
        tally: Tally::default(),
        queues,
        alike: AtomicU32::new(1),
        wake: Notify::new(),
        told_of: AtomicUsize::new(NONE),
        suspicion: Notify::new(),
        cancellation: Notify::new(),
        schedules: Notify::new(),
        #[cfg(feature = "cron")]
        declarations,
        running: RunningJobs::default(),
        suspects: Mutex::new(session(&database, &settings, "suspects")),
        pool: settings.handlers_pool(&database),
        database,
        handle,
        rest: CancellationToken::new(),
        settings,
    });
    shared.handle.phase.started(&shared);
    let rest = shared.rest.clone().drop_guard();
    let heartbeat = heartbeat::start(shared.clone()).await?;
    info!(runner = %shared.name, slots = shared.settings.slots, queues = ?shared.queues, "the runner has started");
    Ok(Started { shared, heartbeat, rest })
}

/// Looks whether the tables are there; an application and its database often start together.
async fn check_schema(options: SessionOptions, settings: &Settings) -> Result<(), Error> {
    let mut patience = Patience::new(options.clone(), settings.start_patience);
    loop {
        let mut connection = patience.connect().await?;
        let checked = match options.begin(&mut connection).await {
            Ok(()) => migrate::check(&mut connection, &settings.schema).await,
            Err(error) => Err(error.into()),
        };
        match checked {
            Err(Error::Database(error)) if !is_permanent(&error) => patience.again(error).await?,
            result => return result,
        }
    }
}

impl Started {
    /// Sets all parts to work. They end in the order of this list: claims feed the slots, the slots feed the
    /// settling.
    pub(crate) fn spawn(self) -> Running {
        let shared = self.shared;
        let (to_slots, claimed) = mpsc::unbounded_channel();
        let (to_settler, ends) = mpsc::unbounded_channel();
        let together = Arc::<Together>::default();
        let claims = Claims::first(&shared, &together, &to_slots);
        drop(to_slots);
        Running {
            second: part(second(claims.second())),
            claimer: part(Claimer::new(claims).run()),
            listener: shared.settings.listen.then(|| part(listen(shared.clone()))),
            maintainer: part(Maintainer::new(shared.clone(), together).run()),
            #[cfg(feature = "cron")]
            scheduler: part(schedule(shared.clone())),
            executor: part(execute(shared.clone(), claimed, to_settler)),
            settler: part(Settler::new(shared.clone(), ends).run()),
            heartbeat: self.heartbeat,
            rest: self.rest,
            shared,
        }
    }
}

fn part(work: impl Future<Output = ()> + Send + 'static) -> Part {
    AbortOnDropHandle::new(tokio::spawn(work))
}

fn queues(registry: &Registry, settings: &Settings) -> Result<Vec<String>, Error> {
    if registry.is_empty() {
        return Err(Error::EmptyRegistry);
    }
    let mut queues = match &settings.queues {
        Some(queues) => queues.clone(),
        None => registry.iter().map(|registration| registration.queue.to_owned()).collect(),
    };
    queues.sort();
    queues.dedup();
    for queue in &queues {
        QueueName::new(queue)?;
        if !registry.iter().any(|registration| registration.queue == queue) {
            warn!(queue, "no job of this program goes to this queue by default");
        }
    }
    if queues.is_empty() { Err(Error::NoQueues) } else { Ok(queues) }
}

fn kinds(registry: &Registry, bindings: &Bindings) -> Result<Kinds, Error> {
    let mut kinds = Kinds::default();
    for registration in registry.iter() {
        let known = KnownKind {
            name: registration.kind,
            handler: registration.bind_within(&bindings.states, &bindings.middleware)?,
            meter: JobMeter::new(registration.kind, registration.queue),
            retry: registration.retry.clone(),
            timeout: registration.timeout,
            transactional: registration.transactional,
        };
        if registration.transactional {
            kinds.solo.push(registration.kind.to_owned());
        }
        kinds.names.push(registration.kind.to_owned());
        kinds.versions.push(registration.version);
        kinds.by_name.insert(registration.kind.to_owned(), Arc::new(known));
    }
    Ok(kinds)
}

/// Host and process, for people who look for a runner.
fn name() -> String {
    let host = std::env::var("HOSTNAME").ok().filter(|host| !host.is_empty());
    let host =
        host.or_else(|| std::fs::read_to_string("/etc/hostname").ok().map(|host| host.trim().to_owned()));
    format!("{}:{}", host.unwrap_or_else(|| "localhost".into()), std::process::id())
}
