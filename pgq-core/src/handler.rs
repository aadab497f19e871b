use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use crate::{
    Call, Context, ErrorKind, Job, JobError, JobResult, Middleware, Next, Perform, PerformFor, Run, Stored,
};
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

/// What a handler gets when it is bound, besides its state: all that runs around it, the outermost first.
pub(crate) type Around = Arc<[Arc<dyn Middleware>]>;

/// Binds a job type to its state; `None` if that was not given.
pub(crate) fn bind<J: Perform>(states: &States, around: Around) -> Option<Arc<dyn Handler>> {
    bind_to::<J, _>(Arc::new(Itself), states, around)
}

/// Binds a job type to what performs it and its state; `None` if that was not given.
pub(crate) fn bind_to<J: Job, P: PerformFor<J>>(
    performer: Arc<P>,
    states: &States,
    around: Around,
) -> Option<Arc<dyn Handler>> {
    let state = states.get::<P::State>()?;
    Some(Arc::new(Typed::<J, P> { performer, state, around, job: PhantomData }))
}

/// Jobs that perform themselves.
struct Itself;

impl<J: Perform> PerformFor<J> for Itself {
    type State = J::State;

    fn perform(&self, job: &J, ctx: &Context<J::State>) -> impl Future<Output = JobResult> + Send {
        job.perform(ctx)
    }

    fn retry_wait(&self, job: &J, attempt: i16, error: &JobError) -> Option<Duration> {
        job.retry_wait(attempt, error)
    }
}

struct Typed<J: Job, P: PerformFor<J>> {
    performer: Arc<P>,
    state: Arc<P::State>,
    around: Around,
    job: PhantomData<fn() -> J>,
}

#[async_trait]
impl<J: Job, P: PerformFor<J>> Handler for Typed<J, P> {
    async fn handle(&self, payload: Stored<'_>, run: Run) -> JobResult {
        let job: J = payload.decode().map_err(JobError::park)?;
        if self.around.is_empty() {
            return self.perform(&job, run).await;
        }
        let (attempt, cancellation) = (run.attempt.clone(), run.cancellation.clone());
        let call = Call::new(&job, &attempt, &cancellation);
        Next::new(&call, &self.around, self.perform(&job, run)).run().await
    }
}

impl<J: Job, P: PerformFor<J>> Typed<J, P> {
    async fn perform(&self, job: &J, run: Run) -> JobResult {
        let attempt = run.attempt.number;
        let result = self.performer.perform(job, &Context::new(self.state.clone(), run)).await;
        result.map_err(|error| self.with_wait(job, attempt, error))
    }

    /// The error with the wait that the job itself wants after it.
    fn with_wait(&self, job: &J, attempt: i16, error: JobError) -> JobError {
        if error.kind() != ErrorKind::Retry {
            return error;
        }
        match self.performer.retry_wait(job, attempt, &error) {
            Some(wait) => error.after(wait),
            None => error,
        }
    }
}
