use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::{Context, ErrorKind, JobError, JobResult, Perform, Run, Stored};
use async_trait::async_trait;

/// A job type with its state bound and its type erased: bytes in, result out.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Decodes the payload and runs one attempt. A payload that cannot be decoded is an error that parks the job: no
    /// further attempt of this program could read it either.
    async fn handle(&self, payload: Stored<'_>, run: Run) -> JobResult;
}

/// The application's states by type, as given to the runner. `()` is always there.
#[derive(Clone)]
pub struct States(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl Default for States {
    fn default() -> Self {
        let mut states = Self(HashMap::new());
        states.insert(());
        states
    }
}

impl States {
    /// Adds a state; one of the same type given before is replaced.
    pub fn insert<S: Send + Sync + 'static>(&mut self, state: S) {
        self.0.insert(TypeId::of::<S>(), Arc::new(state));
    }

    fn get<S: Send + Sync + 'static>(&self) -> Option<Arc<S>> {
        self.0.get(&TypeId::of::<S>()).cloned().and_then(|state| state.downcast().ok())
    }
}

/// Binds a job type to its state; `None` if that was not given.
pub(crate) fn bind<J: Perform>(states: &States) -> Option<Arc<dyn Handler>> {
    let state = states.get::<J::State>()?;
    Some(Arc::new(Typed::<J> { state, job: PhantomData }))
}

struct Typed<J: Perform> {
    state: Arc<J::State>,
    job: PhantomData<fn() -> J>,
}

#[async_trait]
impl<J: Perform> Handler for Typed<J> {
    async fn handle(&self, payload: Stored<'_>, run: Run) -> JobResult {
        let job: J = payload.decode().map_err(JobError::park)?;
        let attempt = run.attempt.number;
        let result = job.perform(&Context::new(self.state.clone(), run)).await;
        result.map_err(|error| with_wait(&job, attempt, error))
    }
}

/// The error with the wait that the job itself wants after it.
fn with_wait<J: Perform>(job: &J, attempt: i16, error: JobError) -> JobError {
    match error.kind() {
        ErrorKind::Retry => match job.retry_wait(attempt, &error) {
            Some(wait) => error.after(wait),
            None => error,
        },
        _ => error,
    }
}
