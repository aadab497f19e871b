use std::sync::Arc;

use pgq_core::{Attempt, Context, JobId, Run};
use sqlx::PgPool;

use crate::context::Extension;

/// A context for a test that calls `perform` itself: the first of four attempts at job 1, with that state.
///
/// ```
/// # use pgq_postgres::testing;
/// let context = testing::context("the state").attempt(2).build();
/// assert_eq!((context.attempt(), *context.state()), (2, "the state"));
/// ```
pub fn context<S: Send + Sync + 'static>(state: S) -> TestContext<S> {
    let mut attempt = Attempt::first(JobId(1), "test");
    attempt.max = 4;
    TestContext { state, run: Run::detached(attempt) }
}

/// A context in the making; see [`context`].
#[derive(Debug)]
#[must_use = "call .build() to get the context"]
pub struct TestContext<S> {
    state: S,
    run: Run,
}

impl<S: Send + Sync + 'static> TestContext<S> {
    /// Another job.
    pub fn id(mut self, id: JobId) -> Self {
        self.run.attempt.id = id;
        self
    }

    /// Another attempt; 1 is the first.
    pub fn attempt(mut self, attempt: i16) -> Self {
        self.run.attempt.number = attempt;
        self
    }

    /// How many attempts the job has in all.
    pub fn max_attempts(mut self, attempts: i16) -> Self {
        self.run.attempt.max = attempts;
        self
    }

    /// Another queue.
    pub fn queue(mut self, queue: &str) -> Self {
        self.run.attempt.queue = queue.into();
        self
    }

    /// With a database: `ctx.pool()` gives that pool, `ctx.begin()` a transaction of it, and `ctx.complete_in(tx)` commits,
    /// although there is no job to complete.
    pub fn pool(mut self, pool: &PgPool) -> Self {
        self.run.runner = Some(Arc::new(Extension::Detached(pool.clone())));
        self
    }

    /// With an attempt that was told to end early.
    pub fn cancelled(self) -> Self {
        self.run.cancellation.cancel();
        self
    }

    /// The context.
    pub fn build(self) -> Context<S> {
        Context::new(Arc::new(self.state), self.run)
    }
}
