use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, OnceLock, Weak};

use super::liveness::Silence;
use super::settings::DEAD_AFTER_BEATS;
use super::shared::Shared;

/// How well a runner is, for the probes of whatever keeps its process running.
///
/// ```
/// # use pgq_postgres::Runner;
/// let runner = Runner::from_registry();
/// let handle = runner.handle(); // give it to the web server
/// let health = handle.health();
/// assert!(health.live().is_ok());
/// assert_eq!(health.ready(), Err("the runner has not started yet"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    not_live: Option<String>,
    not_ready: Option<String>,
}

impl Health {
    /// Whether its heart beats, or the reason why it does not: a heartbeat reached the database within the time after which others
    /// take the runner for dead, 30 seconds by default. A runner that has not started yet counts as live, one that has
    /// stopped or failed does not.
    ///
    /// # Errors
    /// The reason, for people.
    pub fn live(&self) -> Result<(), &str> {
        self.not_live.as_deref().map_or(Ok(()), Err)
    }

    /// Whether it claims jobs, or the reason why it does not: it is registered, its heartbeats reach the database, and nobody told
    /// it to stop.
    ///
    /// # Errors
    /// The reason, for people.
    pub fn ready(&self) -> Result<(), &str> {
        self.not_ready.as_deref().map_or(Ok(()), Err)
    }

    fn never(reason: &str) -> Self {
        Self { not_live: Some(reason.to_owned()), not_ready: Some(reason.to_owned()) }
    }

    fn not_ready(reason: impl Into<String>) -> Self {
        Self { not_live: None, not_ready: Some(reason.into()) }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.not_live, &self.not_ready) {
            (Some(reason), _) => write!(f, "not live: {reason}"),
            (None, Some(reason)) => write!(f, "live, not ready: {reason}"),
            (None, None) => f.write_str("ready"),
        }
    }
}

/// What a handle knows of its runner before, while and after it runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Phase(Arc<State>);

#[derive(Debug, Default)]
struct State {
    started: OnceLock<Weak<Shared>>,
    ended: AtomicBool,
}

/// The runner has ended when this is dropped, however that came.
pub(crate) struct UntilEnd(Phase);

impl Drop for UntilEnd {
    fn drop(&mut self) {
        self.0.0.ended.store(true, SeqCst);
    }
}

impl Phase {
    pub(crate) fn until_end(&self) -> UntilEnd {
        UntilEnd(self.clone())
    }

    /// It has begun to start. A handle belongs to one runner, which starts once.
    pub(crate) fn started(&self, shared: &Arc<Shared>) {
        let _ = self.0.started.set(Arc::downgrade(shared));
    }

    pub(crate) fn health(&self) -> Health {
        let shared = self.0.started.get().map(Weak::upgrade);
        match shared {
            _ if self.0.ended.load(SeqCst) => Health::never("the runner has ended"),
            Some(None) => Health::never("the runner has ended"),
            None => Health::not_ready("the runner has not started yet"),
            Some(Some(shared)) => health(&shared),
        }
    }
}

fn health(shared: &Shared) -> Health {
    let limit = shared.liveness.interval() * DEAD_AFTER_BEATS;
    match shared.liveness.silence() {
        _ if !shared.liveness.has_beaten() => Health::not_ready("the runner is not registered yet"),
        Silence { lasts, .. } if lasts >= limit => {
            Health::never(&format!("no heartbeat has reached the database for {lasts:.0?}, limit {limit:?}"))
        }
        _ if shared.stopping() => Health::not_ready("the runner is stopping"),
        Silence { session_lost: true, .. } => Health::not_ready("the session of the heartbeat is lost"),
        Silence { lasts, .. } if !shared.liveness.may_claim() => {
            Health::not_ready(format!("no heartbeat has reached the database for {lasts:.1?}"))
        }
        _ => Health { not_live: None, not_ready: None },
    }
}
