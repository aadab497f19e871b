use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// The jobs that run here. Each can be told by its id to come to an end, and all of them at once.
#[derive(Clone, Default)]
pub(crate) struct RunningJobs(Arc<Mutex<Running>>);

#[derive(Default)]
struct Running {
    jobs: HashMap<i64, CancellationToken>,
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
        if running.ending {
            cancellation.cancel();
        }
        running.jobs.insert(job, cancellation.clone());
        (Entry { running: self.clone(), job }, cancellation)
    }

    pub(crate) fn cancel(&self, job: i64) {
        if let Some(cancellation) = self.lock().jobs.get(&job) {
            cancellation.cancel();
        }
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
