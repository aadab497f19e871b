use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use tokio_util::sync::CancellationToken;

use crate::{Trace, TraceParent, TraceState};

/// The number of a job, unique in its schema and rising with the order of enqueueing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub i64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The facts of one attempt at one job.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Attempt {
    /// The job.
    pub id: JobId,
    /// The queue it was claimed from.
    pub queue: Arc<str>,
    /// Which attempt this is; 1 is the first.
    pub number: i16,
    /// How many attempts the job has in all.
    pub max: i16,
    /// When it was enqueued, by the database's clock.
    pub enqueued_at: SystemTime,
    /// The span in which it was enqueued, if that is known.
    pub trace: Option<Arc<Trace>>,
}

impl Attempt {
    /// The first attempt at a job of that id and queue, enqueued at the Unix epoch; set what else matters.
    pub fn first(id: JobId, queue: impl Into<Arc<str>>) -> Self {
        Self { id, queue: queue.into(), number: 1, max: 1, enqueued_at: SystemTime::UNIX_EPOCH, trace: None }
    }
}

/// One attempt as the runner hands it to a handler.
#[derive(Debug, Clone)]
pub struct Run {
    /// The facts.
    pub attempt: Attempt,
    /// Fires when the attempt should end early.
    pub cancellation: CancellationToken,
    /// What the runner's own extensions of [`Context`] need.
    pub runner: Option<Arc<dyn Any + Send + Sync>>,
}

impl Run {
    /// An attempt outside of a runner, as in a test of a handler.
    pub fn detached(attempt: Attempt) -> Self {
        Self { attempt, cancellation: CancellationToken::new(), runner: None }
    }
}

/// What a handler gets besides its job: the application's state and the facts of this attempt.
pub struct Context<S = ()> {
    state: Arc<S>,
    run: Run,
}

impl<S> Context<S> {
    /// Puts a context together, as the runner does for every attempt.
    pub fn new(state: Arc<S>, run: Run) -> Self {
        Self { state, run }
    }

    #[doc(hidden)]
    pub fn __runner(&self) -> Option<&(dyn Any + Send + Sync)> {
        self.run.runner.as_deref()
    }

    /// The state given to the runner with `.state(..)`.
    pub fn state(&self) -> &S {
        &self.state
    }

    /// The job's id.
    pub fn id(&self) -> JobId {
        self.run.attempt.id
    }

    /// Which attempt this is; 1 is the first.
    pub fn attempt(&self) -> i16 {
        self.run.attempt.number
    }

    /// How many attempts the job has in all.
    pub fn max_attempts(&self) -> i16 {
        self.run.attempt.max
    }

    /// The queue that the job was claimed from.
    pub fn queue(&self) -> &str {
        &self.run.attempt.queue
    }

    /// When the job was enqueued, by the database's clock.
    pub fn enqueued_at(&self) -> SystemTime {
        self.run.attempt.enqueued_at
    }

    /// A text that is the same in every attempt at this job and in no other job: for services that do a thing only once
    /// for each key. Made of the job's id and the microsecond at which it was enqueued, so that it is not repeated where
    /// ids are, as in another database or schema.
    pub fn idempotency_key(&self) -> String {
        let enqueued = self.enqueued_at().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        format!("pgq-{}-{:x}", self.id(), enqueued.as_micros())
    }

    /// The span in which the job was enqueued, if that is known: the traceparent of calls that belong to the same trace.
    pub fn trace_parent(&self) -> Option<TraceParent> {
        self.run.attempt.trace.as_ref().map(|trace| trace.parent)
    }

    /// The tracestate that belongs to [`trace_parent`](Self::trace_parent).
    pub fn trace_state(&self) -> Option<&TraceState> {
        self.run.attempt.trace.as_ref().and_then(|trace| trace.state.as_ref())
    }

    /// Waits until this attempt should end early: it timed out, somebody cancelled the job, or its runner is
    /// stopping and the grace is over. A handler that returns soon after keeps what it did; one that does not is dropped.
    pub async fn cancelled(&self) {
        self.run.cancellation.cancelled().await;
    }

    /// Whether [`cancelled`](Self::cancelled) would return at once.
    pub fn is_cancelled(&self) -> bool {
        self.run.cancellation.is_cancelled()
    }
}

impl<S> fmt::Debug for Context<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("attempt", &self.run.attempt).finish_non_exhaustive()
    }
}
