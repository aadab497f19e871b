use std::any::Any;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::{Attempt, Job, JobResult};

/// What runs around every attempt of every job of a runner: to measure, to log, to prepare what handlers find in
/// task-local values, or to refuse.
///
/// It is given to the runner by `.middleware(..)`; the first that is given is the outermost. It sees the job decoded; one
/// that cannot be decoded never comes so far. A panic of the handler passes through it, and a timeout drops it.
///
/// ```
/// # use pgq_core::{Call, JobResult, Middleware, Next, async_trait};
/// struct Timing;
///
/// #[async_trait]
/// impl Middleware for Timing {
///     async fn around(&self, call: &Call<'_>, next: Next<'_>) -> JobResult {
///         let start = std::time::Instant::now();
///         let result = next.run().await;
///         println!("{} took {:?}", call.kind(), start.elapsed());
///         result
///     }
/// }
/// ```
#[async_trait]
pub trait Middleware: Send + Sync + 'static {
    /// Runs one attempt, which is `next`, or does not. What it returns counts as the handler's own word: the error of
    /// a handler whose type says how long to wait is a [`RetryIn`](crate::ErrorKind::RetryIn) here.
    async fn around(&self, call: &Call<'_>, next: Next<'_>) -> JobResult;
}

/// The attempt that a middleware runs around.
pub struct Call<'a> {
    kind: &'static str,
    attempt: &'a Attempt,
    cancellation: &'a CancellationToken,
    job: &'a (dyn Any + Send + Sync),
}

impl<'a> Call<'a> {
    pub(crate) fn new<J: Job>(job: &'a J, attempt: &'a Attempt, cancellation: &'a CancellationToken) -> Self {
        Self { kind: J::KIND, attempt, cancellation, job }
    }

    /// The kind of the job.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The facts of the attempt.
    pub fn attempt(&self) -> &Attempt {
        self.attempt
    }

    /// The job, if it is of this type.
    pub fn job<J: Job>(&self) -> Option<&J> {
        self.job.downcast_ref()
    }

    /// Waits until the attempt should end early; see [`Context::cancelled`](crate::Context::cancelled).
    pub async fn cancelled(&self) {
        self.cancellation.cancelled().await;
    }

    /// Whether [`cancelled`](Self::cancelled) would return at once.
    pub fn is_cancelled(&self) -> bool {
        self.cancellation.is_cancelled()
    }
}

/// What is inside of a middleware: the next one, or the handler.
#[must_use = "the job is performed by .run()"]
pub struct Next<'a> {
    call: &'a Call<'a>,
    inner: &'a [Arc<dyn Middleware>],
    handler: Pin<Box<dyn Future<Output = JobResult> + Send + 'a>>,
}

impl<'a> Next<'a> {
    pub(crate) fn new(
        call: &'a Call<'a>,
        inner: &'a [Arc<dyn Middleware>],
        handler: impl Future<Output = JobResult> + Send + 'a,
    ) -> Self {
        Self { call, inner, handler: Box::pin(handler) }
    }

    /// Runs it. Without this call the job is not performed.
    pub async fn run(self) -> JobResult {
        match self.inner.split_first() {
            Some((outermost, inner)) => outermost.around(self.call, Next { inner, ..self }).await,
            None => self.handler.await,
        }
    }
}
