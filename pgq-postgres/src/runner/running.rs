use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// The jobs that run here. Each can be told by its id to come to an end, and all of them at once.
#[derive(Clone, Default)]
pub(crate) struct RunningJobs(Arc<State>);

#[derive(Default)]
struct State {
    /// Somebody was told to end, and whoever comes may be, too.
    alarmed: AtomicBool,
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    jobs: HashMap<i64, CancellationToken>,
    /// Those that somebody cancelled, whether they run yet or wait for a slot.
    asked: HashSet<i64>,
    /// All were told to end, and so is whoever comes.
    ending: bool,
}

/// One running job; it leaves when this is dropped.
pub(crate) struct Entry {
    running: RunningJobs,
    job: i64,
}

impl RunningJobs {
    /// What tells that job, which begins now, to end. Until it has [entered](Self::enter) it is told only what was known
    /// before: many jobs are over by then.
    pub(crate) fn begin(&self, job: i64) -> CancellationToken {
        let cancellation = CancellationToken::new();
        if self.0.alarmed.load(SeqCst) && self.lock().is_told(job) {
            cancellation.cancel();
        }
        cancellation
    }

    /// That job goes on: from now on the token tells it to end.
    pub(crate) fn enter(&self, job: i64, cancellation: &CancellationToken) -> Entry {
        let mut running = self.lock();
        if running.is_told(job) {
            cancellation.cancel();
        }
        running.jobs.insert(job, cancellation.clone());
        Entry { running: self.clone(), job }
    }

    /// Tells these jobs to end, also if they begin later; they are all that were cancelled and have not ended.
    pub(crate) fn cancel(&self, jobs: impl IntoIterator<Item = i64>) {
        let mut running = self.lock();
        running.asked = jobs.into_iter().collect();
        self.0.alarmed.store(running.ending || !running.asked.is_empty(), SeqCst);
        running.asked.iter().filter_map(|job| running.jobs.get(job)).for_each(CancellationToken::cancel);
    }

    pub(crate) fn cancel_all(&self) {
        let mut running = self.lock();
        running.ending = true;
        self.0.alarmed.store(true, SeqCst);
        running.jobs.values().for_each(CancellationToken::cancel);
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        // Nothing in here can panic half-way, so a poisoned map is a whole one.
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    fn is_told(&self, job: i64) -> bool {
        self.ending || self.asked.contains(&job)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.running.lock().jobs.remove(&self.job);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_told_also_if_it_was_cancelled_before_it_began() {
        let running = RunningJobs::default();
        let enter = |job| {
            let told = running.begin(job);
            (running.enter(job, &told), told)
        };
        let (_runs, other) = enter(6);
        let early = running.begin(9);
        running.cancel([7, 9]);
        assert!(enter(7).1.is_cancelled() && running.begin(7).is_cancelled());
        assert!(!other.is_cancelled() && !enter(8).1.is_cancelled());
        let _runs_too = running.enter(9, &early);
        assert!(early.is_cancelled(), "it was cancelled between its beginning and its entry");
        running.cancel([]);
        assert!(!enter(7).1.is_cancelled(), "it had ended, and somebody made it run again");
    }
}
