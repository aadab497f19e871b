use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pgq_core::Outcome;
use serde_json::{Map, Value, json};

use super::ledger::Ended;

/// The time over which rates are told.
const WINDOW: Duration = Duration::from_secs(60);

/// How often the totals are remembered, to be compared with later.
const REMEMBER_EVERY: Duration = Duration::from_secs(5);

/// What a runner has done, by queue. The heartbeat carries it into the database, so that nobody has to count rows.
#[derive(Default)]
pub(crate) struct Tally(Mutex<State>);

#[derive(Default)]
struct State {
    totals: Totals,
    /// The totals as they were, the oldest about a minute ago.
    past: VecDeque<(Instant, Totals)>,
}

type Totals = BTreeMap<Arc<str>, Done>;

#[derive(Debug, Clone, Copy, Default)]
struct Done {
    completed: u64,
    failed: u64,
    discarded: u64,
}

impl Tally {
    /// Counts these ends.
    pub(crate) fn note(&self, ends: &[Ended]) {
        let mut state = self.lock();
        for run in ends.chunk_by(|one, next| Arc::ptr_eq(&one.queue, &next.queue)) {
            let done = state.totals.entry(run[0].queue.clone()).or_default();
            run.iter().for_each(|end| done.note(&end.outcome));
        }
    }

    /// Counts a job that its handler has completed itself.
    pub(crate) fn completed(&self, queue: &Arc<str>) {
        self.lock().totals.entry(queue.clone()).or_default().completed += 1;
    }

    /// All of it, for the database; none before anything was done.
    pub(crate) fn report(&self, now: Instant) -> Option<Value> {
        let mut state = self.lock();
        while state.past.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW) {
            state.past.pop_front();
        }
        if state.past.back().is_none_or(|(at, _)| now.duration_since(*at) >= REMEMBER_EVERY) {
            let totals = state.totals.clone();
            state.past.push_back((now, totals));
        }
        let before = &state.past[0].1;
        let told = |(queue, done): (&Arc<str>, &Done)| {
            let then = before.get(queue).copied().unwrap_or_default();
            (queue.to_string(), done.told_since(then))
        };
        let told: Map<_, _> = state.totals.iter().map(told).collect();
        (!told.is_empty()).then_some(Value::Object(told))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half-way, so a poisoned tally is a whole one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Done {
    fn note(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Complete => self.completed += 1,
            Outcome::Retry { .. } => self.failed += 1,
            Outcome::Discard { .. } => {
                self.failed += 1;
                self.discarded += 1;
            }
            Outcome::Snooze { .. } | Outcome::Park { .. } | Outcome::Release => {}
        }
    }

    fn told_since(self, then: Self) -> Value {
        json!({
            "completed": self.completed, "failed": self.failed, "discarded": self.discarded,
            "minute": { "completed": self.completed - then.completed, "failed": self.failed - then.failed },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::ledger::Afterlife;
    use super::*;

    fn end(queue: &Arc<str>, outcome: Outcome) -> Ended {
        let lease = uuid::Uuid::nil();
        Ended { lease, position: 0, queue: queue.clone(), outcome, afterlife: Afterlife::None }
    }

    #[test]
    fn tells_what_was_done_in_all_and_in_the_last_minute() {
        let (tally, start) = (Tally::default(), Instant::now());
        assert_eq!(tally.report(start), None);
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        tally.note(&[end(&a, Outcome::Complete), end(&a, Outcome::Complete), end(&b, Outcome::Release)]);
        tally.completed(&a);
        let done = |report: &Value, queue: &str| {
            let number = |value: &Value| value.as_u64().unwrap();
            (number(&report[queue]["completed"]), number(&report[queue]["minute"]["completed"]))
        };
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(done(&tally.report(at(2)).unwrap(), "a"), (3, 3));
        tally.report(at(30));
        tally.completed(&a);
        assert_eq!(done(&tally.report(at(59)).unwrap(), "a"), (4, 4));
        assert_eq!(done(&tally.report(at(91)).unwrap(), "a"), (4, 1), "three were over a minute ago");
        assert_eq!(done(&tally.report(at(151)).unwrap(), "a"), (4, 0));
        assert_eq!(done(&tally.report(at(151)).unwrap(), "b"), (0, 0));
    }
}
