use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use pgq_core::Outcome;

use super::Waited;
use crate::telemetry::{
    ATTEMPT_SECONDS, COMPLETED, DISCARDED, FAILED, PARKED, RELEASED, SLOTS_USED, SNOOZED, STARTED,
    WAIT_SECONDS,
};

/// What a runner tells of the jobs of one kind.
pub(crate) struct JobMeter {
    kind: &'static str,
    /// Few kinds have jobs in more than one queue.
    by_queue: RwLock<Vec<Arc<QueueMeter>>>,
}

/// Handles that are looked up once, for the jobs of one kind and queue.
struct QueueMeter {
    queue: Arc<str>,
    started: Counter,
    completed: Counter,
    failed: Counter,
    discarded: Counter,
    snoozed: Counter,
    parked: Counter,
    released: Counter,
    attempt_seconds: Histogram,
    wait_seconds: Histogram,
    slots_used: Gauge,
}

impl JobMeter {
    /// For a kind, whose jobs go to that queue by default: those counters are there from the start.
    pub(crate) fn new(kind: &'static str, queue: &'static str) -> Self {
        let meter = Self { kind, by_queue: RwLock::default() };
        meter.of(&queue.into());
        meter
    }

    /// An attempt at a job begins that was claimed then, and had waited for that long by then.
    pub(crate) fn begin(&self, queue: &Arc<str>, waited: Waited, claimed_at: Instant) -> Attempting {
        let started = Instant::now();
        let meter = self.of(queue);
        meter.started.increment(1);
        meter.slots_used.increment(1.0);
        if let Some(waited) = waited {
            meter.wait_seconds.record(waited + started.duration_since(claimed_at));
        }
        Attempting { meter, started }
    }

    pub(crate) fn released(&self, queue: &Arc<str>) {
        self.of(queue).released.increment(1);
    }

    fn of(&self, queue: &Arc<str>) -> Arc<QueueMeter> {
        let find = |known: &[Arc<QueueMeter>]| known.iter().find(|meter| meter.queue == *queue).cloned();
        // Nothing panics while it holds the lock.
        let known = find(&self.by_queue.read().unwrap_or_else(PoisonError::into_inner));
        known.unwrap_or_else(|| {
            let mut all = self.by_queue.write().unwrap_or_else(PoisonError::into_inner);
            find(&all).unwrap_or_else(|| {
                let new = Arc::new(QueueMeter::new(queue, self.kind));
                all.push(new.clone());
                new
            })
        })
    }
}

impl QueueMeter {
    fn new(queue: &Arc<str>, kind: &'static str) -> Self {
        macro_rules! of {
            ($what:ident, $metric:ident) => {
                $what!($metric.name, "queue" => queue.to_string(), "kind" => kind)
            };
        }
        Self {
            queue: queue.clone(),
            started: of!(counter, STARTED),
            completed: of!(counter, COMPLETED),
            failed: of!(counter, FAILED),
            discarded: of!(counter, DISCARDED),
            snoozed: of!(counter, SNOOZED),
            parked: of!(counter, PARKED),
            released: of!(counter, RELEASED),
            attempt_seconds: of!(histogram, ATTEMPT_SECONDS),
            wait_seconds: of!(histogram, WAIT_SECONDS),
            slots_used: gauge!(SLOTS_USED.name),
        }
    }
}

/// An attempt under way. Its slot is free when this is dropped, however the attempt ends.
pub(crate) struct Attempting {
    meter: Arc<QueueMeter>,
    started: Instant,
}

impl Attempting {
    /// No outcome: the handler itself completed the job.
    pub(crate) fn ended(self, outcome: Option<&Outcome>) {
        let meter = &self.meter;
        meter.attempt_seconds.record(self.started.elapsed());
        match outcome {
            None | Some(Outcome::Complete) => meter.completed.increment(1),
            Some(Outcome::Retry { .. }) => meter.failed.increment(1),
            Some(Outcome::Discard { .. }) => {
                meter.failed.increment(1);
                meter.discarded.increment(1);
            }
            Some(Outcome::Snooze { .. }) => meter.snoozed.increment(1),
            Some(Outcome::Park { .. }) => meter.parked.increment(1),
            Some(Outcome::Release) => meter.released.increment(1),
        }
    }
}

impl Drop for Attempting {
    fn drop(&mut self) {
        self.meter.slots_used.decrement(1.0);
    }
}
