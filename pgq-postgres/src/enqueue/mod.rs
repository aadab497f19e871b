mod bulk;
mod copy;
mod enqueued;
mod enqueuer;
mod prepared;
mod whole;

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use pgq_core::{
    Job, JobOptions, QueueName, Retry, Trace, TraceError, TraceParent, TraceState, Unique, UniqueKey, encode,
};
use serde::Serialize;
use sqlx::PgExecutor;
use sqlx::types::Json;

use crate::{Error, Schema, trace};
pub use bulk::{Enqueueable, enqueue_all};
pub use enqueued::Enqueued;
pub use enqueuer::Enqueuer;
#[cfg(feature = "cron")]
pub(crate) use prepared::INLINE_LIMIT;
pub use prepared::Prepared;
use prepared::When;

/// 9999-12-31T23:59:59Z, in seconds after the Unix epoch.
const LATEST_RUN_AT: Duration = Duration::from_secs(253_402_300_799);

/// The longest delay: a thousand years, well before the database's calendar ends.
pub(crate) const LONGEST_DELAY: Duration = Duration::from_secs(1000 * 365 * 86_400);

/// Whether that is after the year 9999.
pub(crate) fn is_too_late(time: SystemTime) -> bool {
    time.duration_since(SystemTime::UNIX_EPOCH).is_ok_and(|since| since > LATEST_RUN_AT)
}

/// Enqueues jobs. Every [`Job`] has it.
///
/// ```no_run
/// # use pgq_postgres::{Context, Enqueue, Job, JobResult, Perform};
/// # #[derive(Job)] struct SendWelcome { user_id: i64 }
/// # impl Perform for SendWelcome { async fn perform(&self, _: &Context) -> JobResult { Ok(()) } }
/// # async fn f(pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
/// SendWelcome { user_id: 7 }.enqueue(&pool).await?; // its own commit
/// let mut tx = pool.begin().await?;
/// SendWelcome { user_id: 8 }.enqueue(&mut *tx).await?; // with the transaction, or not at all
/// tx.commit().await?;
/// # Ok(()) }
/// ```
pub trait Enqueue: Job {
    /// Makes a row of this job, due now, and returns its id. The job exists once the transaction commits.
    ///
    /// Of a unique job there may be one already; [`Enqueued`] says what was done then.
    ///
    /// # Errors
    /// A payload that is too large or cannot be encoded, or a failure of the database. If the connection is
    /// lost during the commit, the job may exist.
    fn enqueue<'c>(
        self,
        executor: impl PgExecutor<'c> + 'c,
    ) -> impl Future<Output = Result<Enqueued, Error>> + Send {
        self.to_enqueue().enqueue(executor)
    }

    /// The job, to be told how it differs from its type before it is enqueued.
    fn to_enqueue(self) -> ToEnqueue<Self> {
        ToEnqueue {
            job: self,
            schema: Schema::default(),
            when: When::Now,
            queue: Cow::Borrowed(Self::QUEUE),
            priority: Self::PRIORITY,
            max_attempts: Self::MAX_ATTEMPTS,
            options: JobOptions::default(),
            unique: UniqueBy::Type,
            trace: TracedBy::Span,
            trace_state: None,
        }
    }

    /// Checks and encodes the job, so that it only has to be written: for lists of jobs of several types.
    ///
    /// # Errors
    /// A payload that is too large or cannot be encoded.
    fn prepare(self) -> Result<Prepared, Error> {
        self.to_enqueue().prepare()
    }

    /// To run after a delay, counted from the enqueue by the database's clock.
    fn after(self, delay: Duration) -> ToEnqueue<Self> {
        self.to_enqueue().after(delay)
    }

    /// To run at a time.
    fn at(self, time: impl Into<SystemTime>) -> ToEnqueue<Self> {
        self.to_enqueue().at(time)
    }

    /// Into another queue than the type's.
    fn queue(self, queue: impl Into<String>) -> ToEnqueue<Self> {
        self.to_enqueue().queue(queue)
    }

    /// With another priority than the type's; lower runs first.
    fn priority(self, priority: i16) -> ToEnqueue<Self> {
        self.to_enqueue().priority(priority)
    }

    /// With these waits after failed attempts instead of the type's, and so one attempt more than waits.
    fn retry_waits(self, waits: impl Into<Vec<Duration>>) -> ToEnqueue<Self> {
        self.to_enqueue().retry_waits(waits)
    }

    /// With that policy of retries instead of the type's.
    fn retry(self, retry: Retry) -> ToEnqueue<Self> {
        self.to_enqueue().retry(retry)
    }

    /// With that much time for one attempt.
    fn timeout(self, timeout: Duration) -> ToEnqueue<Self> {
        self.to_enqueue().timeout(timeout)
    }

    /// As part of that trace: the text of a traceparent header, or the [`Context::trace_parent`](pgq_core::Context::trace_parent) of the
    /// job that enqueues this one.
    fn trace_parent<P: TryInto<TraceParent, Error: Into<TraceError>>>(self, parent: P) -> ToEnqueue<Self> {
        self.to_enqueue().trace_parent(parent)
    }

    /// Into another schema than `pgq`.
    fn schema(self, schema: &Schema) -> ToEnqueue<Self> {
        self.to_enqueue().schema(schema)
    }
}

impl<J: Job> Enqueue for J {}

/// A job and how it differs from its type, before it is enqueued.
#[derive(Debug, Clone)]
#[must_use = "a job exists only after .enqueue(..)"]
pub struct ToEnqueue<J> {
    job: J,
    schema: Schema,
    when: When,
    queue: Cow<'static, str>,
    priority: i16,
    max_attempts: i16,
    options: JobOptions,
    unique: UniqueBy,
    trace: TracedBy,
    trace_state: Option<Result<TraceState, TraceError>>,
}

/// Whether there may be another such job, and what makes it one.
#[derive(Debug, Clone, Copy)]
enum UniqueBy {
    /// What the type says.
    Type,
    Nothing,
    Key(Unique, UniqueKey),
}

/// Which trace the job is part of.
#[derive(Debug, Clone)]
enum TracedBy {
    /// The current span's, where that is known.
    Span,
    Given(Result<TraceParent, TraceError>),
}

impl<J: Job> ToEnqueue<J> {
    /// To run after a delay, counted from the enqueue by the database's clock.
    pub fn after(self, delay: Duration) -> Self {
        Self { when: When::After(delay), ..self }
    }

    /// To run at a time. A time in the past means now.
    pub fn at(self, time: impl Into<SystemTime>) -> Self {
        Self { when: When::At(time.into()), ..self }
    }

    /// Into another queue than the type's.
    pub fn queue(self, queue: impl Into<String>) -> Self {
        Self { queue: Cow::Owned(queue.into()), ..self }
    }

    /// With another priority than the type's; lower runs first.
    pub fn priority(self, priority: i16) -> Self {
        Self { priority, ..self }
    }

    /// With these waits after failed attempts instead of the type's, and so one attempt more than waits.
    pub fn retry_waits(self, waits: impl Into<Vec<Duration>>) -> Self {
        self.retry(Retry::Waits(Cow::Owned(waits.into())))
    }

    /// With that policy of retries instead of the type's. A list of waits makes one attempt more than waits.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.max_attempts = retry.natural_attempts().unwrap_or(self.max_attempts);
        self.options.retry = Some(retry);
        self
    }

    /// With that many attempts in all.
    pub fn max_attempts(self, max_attempts: i16) -> Self {
        Self { max_attempts, ..self }
    }

    /// With that much time for one attempt.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout_ms = Some(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX).max(1));
        self
    }

    /// As part of that trace: the text of a traceparent header, or the [`Context::trace_parent`](pgq_core::Context::trace_parent) of the
    /// job that enqueues this one. A text that is none is an error at the enqueue.
    ///
    /// With the feature `opentelemetry`, a job that is told nothing is part of the current span's trace.
    pub fn trace_parent<P: TryInto<TraceParent, Error: Into<TraceError>>>(self, parent: P) -> Self {
        Self { trace: TracedBy::Given(parent.try_into().map_err(Into::into)), ..self }
    }

    /// With the text of the tracestate header that came with the [`trace_parent`](Self::trace_parent); it means nothing without one.
    pub fn trace_state(self, state: &str) -> Self {
        Self { trace_state: Some(state.parse()), ..self }
    }

    /// Into another schema than `pgq`.
    pub fn schema(self, schema: &Schema) -> Self {
        Self { schema: schema.clone(), ..self }
    }

    /// Without regard to other jobs of the same key, if the type is unique.
    pub fn not_unique(self) -> Self {
        Self { unique: UniqueBy::Nothing, ..self }
    }

    /// Unique among the jobs of its kind by a key of the caller's choice, which may be any value: see [`Unique`]. A
    /// type can say the same with the attribute `unique`.
    ///
    /// # Errors
    /// A key that has no JSON form.
    pub fn unique_by<K: Serialize + ?Sized>(self, unique: Unique, key: &K) -> Result<Self, Error> {
        let key = UniqueKey::of(J::KIND, key).map_err(|error| {
            Error::Setting(format!("the key of this unique {} job has no JSON form: {error}", J::KIND))
        })?;
        Ok(Self { unique: UniqueBy::Key(unique, key), ..self })
    }

    /// Makes the row; see [`Enqueue::enqueue`].
    ///
    /// # Errors
    /// As [`Enqueue::enqueue`]; besides a bad queue name, no attempts at all, or a time after the year 9999.
    pub async fn enqueue<'c>(self, executor: impl PgExecutor<'c> + 'c) -> Result<Enqueued, Error> {
        self.prepare()?.enqueue(executor).await
    }

    /// Checks and encodes the job; see [`Enqueue::prepare`].
    ///
    /// # Errors
    /// As [`Enqueue::enqueue`], without those of the database.
    pub fn prepare(mut self) -> Result<Prepared, Error> {
        self.check()?;
        let body = encode(&self.job)?;
        let unique = self.unique()?;
        self.options.args = self.job.__pgq_index()?;
        if let Some(Trace { parent, state }) = self.trace()? {
            self.options.trace = Some(parent);
            self.options.trace_state = state;
        }
        self.options.held_while = unique.map(|(unique, _)| unique.held_while());
        self.options.unique_key = unique.map(|(_, key)| key.to_hex());
        Ok(Prepared {
            schema: self.schema,
            queue: self.queue,
            kind: J::KIND,
            priority: self.priority,
            version: J::VERSION,
            shape: J::SHAPE,
            max_attempts: self.max_attempts,
            body,
            options: (!self.options.is_empty()).then_some(Json(self.options)),
            when: self.when,
            unique,
        })
    }

    fn trace(&mut self) -> Result<Option<Trace>, Error> {
        let state = self.trace_state.take().transpose()?;
        match std::mem::replace(&mut self.trace, TracedBy::Span) {
            TracedBy::Span => Ok(trace::current()),
            TracedBy::Given(parent) => Ok(Some(Trace { parent: parent?, state })),
        }
    }

    fn unique(&self) -> Result<Option<(Unique, UniqueKey)>, Error> {
        Ok(match self.unique {
            UniqueBy::Type => J::UNIQUE.zip(self.job.__pgq_unique_key()?),
            UniqueBy::Nothing => None,
            UniqueBy::Key(unique, key) => Some((unique, key)),
        })
    }

    fn check(&self) -> Result<(), Error> {
        QueueName::new(&self.queue)?;
        if self.max_attempts < 1 {
            return Err(Error::Setting(format!(
                "max_attempts is {}: a job needs at least one attempt",
                self.max_attempts
            )));
        }
        let too_late = match self.when {
            When::Now => false,
            When::After(delay) => delay > LONGEST_DELAY,
            When::At(time) => is_too_late(time),
        };
        if too_late { Err(Error::RunAtTooLate) } else { Ok(()) }
    }
}
