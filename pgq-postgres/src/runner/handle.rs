use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio_util::sync::CancellationToken;

use super::health::{Health, Phase};

/// Stops a runner from elsewhere in the program and tells what it has done.
///
/// ```no_run
/// # async fn f() {
/// let runner = pgq_postgres::Runner::from_registry().without_signals();
/// let handle = runner.handle();
/// let running = tokio::spawn(runner.run());
/// handle.stop(); // running jobs may finish
/// # let _ = running.await;
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct RunnerHandle {
    pub(crate) stop: CancellationToken,
    pub(crate) stop_now: CancellationToken,
    pub(crate) counts: Arc<Counts>,
    pub(crate) phase: Phase,
}

impl RunnerHandle {
    /// Claims no more; running jobs may finish within the runner's grace.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Claims no more, and gives running jobs no grace: they go back to their queue, the attempt unspent.
    pub fn stop_now(&self) {
        self.stop.cancel();
        self.stop_now.cancel();
    }

    /// How well the runner is, from what it knows: asks nothing of the database.
    pub fn health(&self) -> Health {
        self.phase.health()
    }

    /// What the runner has done since it started.
    pub fn counts(&self) -> RunnerCounts {
        let counts = &self.counts;
        RunnerCounts {
            claimed: counts.claimed.load(Relaxed),
            completed: counts.completed.load(Relaxed),
            retried: counts.retried.load(Relaxed),
            snoozed: counts.snoozed.load(Relaxed),
            discarded: counts.discarded.load(Relaxed),
            parked: counts.parked.load(Relaxed),
            released: counts.released.load(Relaxed),
            lease_lost: counts.lease_lost.load(Relaxed),
            rescued: counts.rescued.load(Relaxed),
            fired: counts.fired.load(Relaxed),
            unserved_kinds: counts.unserved_kinds.load(Relaxed),
            database_errors: counts.database_errors.load(Relaxed),
        }
    }
}

/// What a runner has done since it started, in jobs unless it says otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunnerCounts {
    /// Claimed.
    pub claimed: u64,
    /// Completed, by the handlers' word.
    pub completed: u64,
    /// Failed, to be retried.
    pub retried: u64,
    /// Snoozed.
    pub snoozed: u64,
    /// Failed for good.
    pub discarded: u64,
    /// Set aside, since their payloads cannot be read.
    pub parked: u64,
    /// Given back without an attempt.
    pub released: u64,
    /// Outcomes dropped because the lease had passed to another runner.
    pub lease_lost: u64,
    /// Jobs taken back from dead runners.
    pub rescued: u64,
    /// Made for ticks of schedules that this runner fired; they may run elsewhere.
    pub fired: u64,
    /// Kinds, each payload version for itself, that wait in this runner's queues and that no living runner reads,
    /// at the last look.
    pub unserved_kinds: u64,
    /// Failures of the database that the runner survived.
    pub database_errors: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) claimed: AtomicU64,
    pub(crate) completed: AtomicU64,
    pub(crate) retried: AtomicU64,
    pub(crate) snoozed: AtomicU64,
    pub(crate) discarded: AtomicU64,
    pub(crate) parked: AtomicU64,
    pub(crate) released: AtomicU64,
    pub(crate) lease_lost: AtomicU64,
    pub(crate) rescued: AtomicU64,
    pub(crate) fired: AtomicU64,
    pub(crate) unserved_kinds: AtomicU64,
    pub(crate) database_errors: AtomicU64,
}

/// Counters only ever rise, and nothing is ordered by them.
pub(crate) fn add(counter: &AtomicU64, n: usize) {
    counter.fetch_add(n as u64, Relaxed);
}
