use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use pgq_core::{Job, JobId, JobOptions, QueueName, Retry, encode};
use sqlx::types::Json;
use sqlx::{PgExecutor, query, query_scalar};

use crate::time::{Timestamp, interval};
use crate::{Error, Schema};

/// Payloads over this many bytes have a row of their own instead of being copied into a lease. Measured at
/// 8 KB: 22,000 jobs a second copied, 76,000 left in place.
pub(crate) const INLINE_BYTES: usize = 1024;

/// 9999-12-31T23:59:59Z, in seconds after the Unix epoch.
const LATEST_RUN_AT: Duration = Duration::from_secs(253_402_300_799);

/// The longest delay: a thousand years, well before the database's calendar ends.
const LONGEST_DELAY: Duration = Duration::from_secs(1000 * 365 * 86_400);

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
    /// # Errors
    /// A payload that is too large or cannot be encoded, or a failure of the database. If the connection is
    /// lost during the commit, the job may exist.
    fn enqueue<'c>(
        self,
        executor: impl PgExecutor<'c> + 'c,
    ) -> impl Future<Output = Result<JobId, Error>> + Send {
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
        }
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

    /// With that much time for one attempt.
    fn timeout(self, timeout: Duration) -> ToEnqueue<Self> {
        self.to_enqueue().timeout(timeout)
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
}

#[derive(Debug, Clone, Copy)]
enum When {
    Now,
    After(Duration),
    At(SystemTime),
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
    pub fn retry_waits(mut self, waits: impl Into<Vec<Duration>>) -> Self {
        let retry = Retry::Waits(Cow::Owned(waits.into()));
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

    /// Into another schema than `pgq`.
    pub fn schema(self, schema: &Schema) -> Self {
        Self { schema: schema.clone(), ..self }
    }

    /// Makes the row; see [`Enqueue::enqueue`].
    ///
    /// # Errors
    /// As [`Enqueue::enqueue`]; besides a bad queue name, no attempts at all, or a time after the year 9999.
    pub async fn enqueue<'c>(self, executor: impl PgExecutor<'c> + 'c) -> Result<JobId, Error> {
        self.check()?;
        let payload = encode(&self.job)?;
        if payload.len() <= INLINE_BYTES && matches!(self.when, When::Now) {
            self.enqueue_now(payload, executor).await
        } else {
            self.enqueue_any(payload, executor).await
        }
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
            When::At(time) => {
                time.duration_since(SystemTime::UNIX_EPOCH).is_ok_and(|since| since > LATEST_RUN_AT)
            }
        };
        if too_late { Err(Error::RunAtTooLate) } else { Ok(()) }
    }

    fn options(&self) -> Option<Json<&JobOptions>> {
        (!self.options.is_empty()).then_some(Json(&self.options))
    }

    async fn enqueue_now<'c>(
        self,
        payload: Vec<u8>,
        executor: impl PgExecutor<'c> + 'c,
    ) -> Result<JobId, Error> {
        let id = query_scalar(self.schema.statements().enqueue.clone())
            .bind(&*self.queue)
            .bind(J::KIND)
            .bind(self.priority)
            .bind(J::VERSION)
            .bind(J::SHAPE)
            .bind(self.max_attempts)
            .bind(payload)
            .bind(self.options())
            .bind(self.schema.channel())
            .fetch_one(executor)
            .await?;
        Ok(JobId(id))
    }

    async fn enqueue_any<'c>(
        self,
        payload: Vec<u8>,
        executor: impl PgExecutor<'c> + 'c,
    ) -> Result<JobId, Error> {
        let (at, after) = match self.when {
            When::Now => (None, None),
            When::After(delay) => (None, Some(interval(delay))),
            When::At(time) => (Some(Timestamp(time)), None),
        };
        let row = query(self.schema.statements().enqueue_many.clone())
            .bind([&*self.queue])
            .bind([J::KIND])
            .bind([self.priority])
            .bind([J::VERSION])
            .bind([J::SHAPE])
            .bind([self.max_attempts])
            .bind([payload])
            .bind([self.options()])
            .bind([at])
            .bind([after])
            .bind(i32::try_from(INLINE_BYTES).unwrap_or(i32::MAX))
            .bind(self.schema.channel())
            .fetch_one(executor)
            .await?;
        let ids: Vec<i64> = sqlx::Row::try_get(&row, 0)?;
        ids.first().copied().map(JobId).ok_or(Error::Database(sqlx::Error::RowNotFound))
    }
}
