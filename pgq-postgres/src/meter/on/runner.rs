use std::time::{Duration, Instant};

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use super::Clock;
use crate::telemetry::{
    CLAIM_JOBS, CLAIM_SECONDS, DATABASE_ERRORS, ENQUEUED, LEASE_LOST, RESCUED, SETTLE_JOBS, SETTLE_SECONDS,
    SLOTS, UNSERVED_KINDS, describe,
};

/// When something began.
#[derive(Clone, Copy)]
pub(crate) struct Watch(Instant);

impl Watch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// What a runner tells that is not of one kind of job. Handles are looked up once.
pub(crate) struct RunnerMeter {
    pub(crate) clock: Clock,
    own_slots: f64,
    slots: Gauge,
    claim_seconds: Histogram,
    claim_jobs: Histogram,
    settle_seconds: Histogram,
    settle_jobs: Histogram,
    lease_lost: Counter,
    rescued: Counter,
    database_errors: Counter,
    unserved_kinds: Gauge,
}

impl RunnerMeter {
    pub(crate) fn new(slots: usize) -> Self {
        describe();
        let meter = Self {
            clock: Clock::default(),
            own_slots: slots as f64,
            slots: gauge!(SLOTS.name),
            claim_seconds: histogram!(CLAIM_SECONDS.name),
            claim_jobs: histogram!(CLAIM_JOBS.name),
            settle_seconds: histogram!(SETTLE_SECONDS.name),
            settle_jobs: histogram!(SETTLE_JOBS.name),
            lease_lost: counter!(LEASE_LOST.name),
            rescued: counter!(RESCUED.name),
            database_errors: counter!(DATABASE_ERRORS.name),
            unserved_kinds: gauge!(UNSERVED_KINDS.name),
        };
        // Several runners of a process share the gauge.
        meter.slots.increment(meter.own_slots);
        meter
    }

    pub(crate) fn claimed(&self, watch: Watch, jobs: usize) {
        self.claim_seconds.record(watch.elapsed());
        if jobs > 0 {
            self.claim_jobs.record(jobs as f64);
        }
    }

    pub(crate) fn settled(&self, watch: Watch, jobs: usize) {
        self.settle_seconds.record(watch.elapsed());
        self.settle_jobs.record(jobs as f64);
    }

    pub(crate) fn lease_lost(&self, jobs: usize) {
        self.lease_lost.increment(jobs as u64);
    }

    pub(crate) fn rescued(&self, jobs: usize) {
        self.rescued.increment(jobs as u64);
    }

    /// Jobs of a schedule, whose queue and kind this program may not know.
    #[cfg(feature = "cron")]
    pub(crate) fn fired(&self, queue: &str, kind: &str, jobs: usize) {
        counter!(ENQUEUED.name, "queue" => queue.to_owned(), "kind" => kind.to_owned())
            .increment(jobs as u64);
    }

    pub(crate) fn database_failed(&self) {
        self.database_errors.increment(1);
    }

    pub(crate) fn unserved(&self, kinds: usize) {
        self.unserved_kinds.set(kinds as f64);
    }
}

impl Drop for RunnerMeter {
    fn drop(&mut self) {
        self.slots.decrement(self.own_slots);
    }
}
