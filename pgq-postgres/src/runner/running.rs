use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// The jobs that run here. Each can be told by its id that somebody cancelled it.
#[derive(Clone, Default)]
pub(crate) struct RunningJobs(Arc<Mutex<HashMap<i64, CancellationToken>>>);

/// One running job; it leaves when this is dropped.
pub(crate) struct Entry {
    jobs: RunningJobs,
    job: i64,
}

impl RunningJobs {
    /// That job runs now, and ends when the token fires.
    pub(crate) fn enter(&self, job: i64, cancellation: CancellationToken) -> Entry {
        self.lock().insert(job, cancellation);
        Entry { jobs: self.clone(), job }
    }

    pub(crate) fn cancel(&self, job: i64) {
        if let Some(cancellation) = self.lock().get(&job) {
            cancellation.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i64, CancellationToken>> {
        // Nothing in here can panic half-way, so a poisoned map is a whole one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.jobs.lock().remove(&self.job);
    }
}
