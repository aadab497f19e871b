use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::claim::Together;
use super::prune::prune;
use super::release::release_strangers;
use super::rescue::rescue;
use super::shared::Shared;
use super::unpark::unpark;
use super::unserved::tell_unserved;
use crate::connection::Session;
use crate::meter::Sampler;

/// How often leases without a runner and jobs without a program are looked for. A suspicion comes sooner.
const RESCUE_INTERVAL: Duration = Duration::from_secs(60);

/// How soon a comparison is made that failed, or that this runner could not make because it does not know that it lives.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// How often the leases in this runner's name are compared with those in its memory; a doubt comes sooner.
const STRANGERS_INTERVAL: Duration = Duration::from_secs(5);

/// More rarely where that would take more than one part in so many of the time: an old snapshot keeps all leases that
/// there were.
const STRANGERS_SHARE: u32 = 20;

/// Compares, rescues and prunes, on a session of its own so that none of it delays a claim or a settle.
pub(crate) struct Maintainer {
    shared: Arc<Shared>,
    together: Arc<Together>,
    session: Session,
    sampler: Sampler,
    unparked: bool,
    next_comparison: Instant,
    next_rescue: Instant,
    next_prune: Instant,
}

impl Maintainer {
    pub(crate) fn new(shared: Arc<Shared>, together: Arc<Together>) -> Self {
        let now = Instant::now();
        Self {
            session: shared.session("maintain"),
            sampler: Sampler::new(),
            unparked: false,
            next_comparison: now,
            next_rescue: now,
            next_prune: now + shared.settings.prune_interval.mul_f64(fastrand::f64()),
            shared,
            together,
        }
    }

    pub(crate) async fn run(mut self) {
        let shared = self.shared.clone();
        while !shared.stopping() {
            tokio::select! {
                () = shared.handle.stop.cancelled() => break,
                () = shared.suspicion.notified() => self.next_rescue = Instant::now(),
                () = self.together.doubt.notified() => self.next_comparison = Instant::now(),
                () = sleep_until(self.next()) => {}
            }
            // Not dropped half-way by a stop: what was rescued would not be counted.
            tokio::select! { () = self.round() => {}, () = shared.hurry() => break }
        }
        self.session.close().await;
    }

    fn next(&self) -> Instant {
        self.next_prune.min(self.next_rescue).min(self.next_comparison).min(self.sampler.next())
    }

    /// Does what is due.
    async fn round(&mut self) {
        let shared = self.shared.clone();
        let session = &mut self.session;
        let due = |next: Instant| Instant::now() >= next && !shared.stopping();
        if due(self.next_comparison) {
            self.next_comparison = Instant::now() + compare(&shared, &self.together, session).await;
        }
        if !self.unparked && !shared.stopping() {
            match unpark(&shared, session).await {
                Ok(()) => self.unparked = true,
                Err(error) => shared.survived("unpark", &error),
            }
        }
        if due(self.next_rescue) {
            self.next_rescue = Instant::now() + RESCUE_INTERVAL;
            if let Err(error) = rescue(&shared, session).await {
                shared.survived("rescue", &error);
            }
            if let Err(error) = tell_unserved(&shared, session).await {
                shared.survived("unserved", &error);
            }
        }
        if due(self.next_prune) {
            self.next_prune = Instant::now() + shared.settings.prune_interval;
            if let Err(error) = prune(&shared, session).await {
                shared.survived("prune", &error);
            }
        }
        if due(self.sampler.next())
            && let Err(error) = self.sampler.sample(&shared, session).await
        {
            shared.survived("sample", &error);
        }
    }
}

/// Gives back what this runner does not know, and returns how long until the next time. A runner that may be taken for dead
/// leaves its leases to whoever takes it for dead.
async fn compare(shared: &Arc<Shared>, together: &Together, session: &mut Session) -> Duration {
    let began = Instant::now();
    if !shared.liveness.may_claim() {
        return RETRY_INTERVAL;
    }
    match release_strangers(shared, together, session).await {
        Ok(()) => STRANGERS_INTERVAL.max(began.elapsed() * STRANGERS_SHARE),
        Err(error) => {
            shared.survived("strangers", &error);
            RETRY_INTERVAL
        }
    }
}
