use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use tokio_util::sync::CancellationToken;

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
}

impl Attempt {
    /// The first attempt at a job of that id and queue, enqueued at the Unix epoch; set what else matters.
    pub fn first(id: JobId, queue: impl Into<Arc<str>>) -> Self {
        Self { id, queue: queue.into(), number: 1, max: 1, enqueued_at: SystemTime::UNIX_EPOCH }
    }
}

/// What a handler gets besides its job: the application's state and the facts of this attempt.
pub struct Context<S = ()> {
    state: Arc<S>,
    attempt: Attempt,
    cancellation: CancellationToken,
}

impl<S> Context<S> {
    /// Puts a context together, as the runner does for every attempt.
    pub fn new(state: Arc<S>, attempt: Attempt, cancellation: CancellationToken) -> Self {
        Self { state, attempt, cancellation }
    }

    /// The state given to the runner with `.state(..)`.
    pub fn state(&self) -> &S {
        &self.state
    }

    /// The job's id.
    pub fn id(&self) -> JobId {
        self.attempt.id
    }

    /// Which attempt this is; 1 is the first.
    pub fn attempt(&self) -> i16 {
        self.attempt.number
    }

    /// How many attempts the job has in all.
    pub fn max_attempts(&self) -> i16 {
        self.attempt.max
    }

    /// The queue that the job was claimed from.
    pub fn queue(&self) -> &str {
        &self.attempt.queue
    }

    /// When the job was enqueued, by the database's clock.
    pub fn enqueued_at(&self) -> SystemTime {
        self.attempt.enqueued_at
    }

    /// Waits until this attempt should end early: it timed out, or its runner is stopping and the grace is
    /// over. A handler that returns soon after keeps what it did; one that does not is dropped.
    pub async fn cancelled(&self) {
        self.cancellation.cancelled().await;
    }

    /// Whether [`cancelled`](Self::cancelled) would return at once.
    pub fn is_cancelled(&self) -> bool {
        self.cancellation.is_cancelled()
    }
}

impl<S> fmt::Debug for Context<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("attempt", &self.attempt).finish_non_exhaustive()
    }
}
