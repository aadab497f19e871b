use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// The jobs that run here. Each can be told by its id to come to an end, and all of them at once.
#[derive(Clone, Default)]
pub(crate) struct RunningJobs(Arc<Mutex<Running>>);

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
    /// That job runs now; the token tells it to end.
    pub(crate) fn enter(&self, job: i64) -> (Entry, CancellationToken) {
        let cancellation = CancellationToken::new();
        let mut running = self.lock();
        if running.ending || running.asked.contains(&job) {
            cancellation.cancel();
        }
        running.jobs.insert(job, cancellation.clone());
        (Entry { running: self.clone(), job }, cancellation)
    }

    /// Tells these jobs to end, also if they begin later; they are all that were cancelled and have not ended.
    pub(crate) fn cancel(&self, jobs: impl IntoIterator<Item = i64>) {
        let mut running = self.lock();
        running.asked = jobs.into_iter().collect();
        running.asked.iter().filter_map(|job| running.jobs.get(job)).for_each(CancellationToken::cancel);
    }

    pub(crate) fn cancel_all(&self) {
        let mut running = self.lock();
        running.ending = true;
        running.jobs.values().for_each(CancellationToken::cancel);
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        // Nothing in here can panic half-way, so a poisoned map is a whole one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        let (_runs, other) = running.enter(6);
        running.cancel([7]);
        assert!(running.enter(7).1.is_cancelled());
        assert!(!other.is_cancelled() && !running.enter(8).1.is_cancelled());
        running.cancel([]);
        assert!(!running.enter(7).1.is_cancelled(), "it had ended, and somebody made it run again");
    }
}
