use std::time::{Duration, SystemTime};

use pgq_core::{Job, JobId, Stored};
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row, query};

use super::statement;
use crate::Error;
use crate::time::Timestamp;

/// How far a time may be from the one expected: the test asked for it a moment before the database did.
const TOLERANCE: Duration = Duration::from_secs(5);

/// A job that waits.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EnqueuedJob<J> {
    /// Its id.
    pub id: JobId,
    /// The job.
    pub job: J,
    /// Its queue.
    pub queue: String,
    /// Its priority.
    pub priority: i16,
    /// When it was enqueued, by the database's clock.
    pub enqueued_at: SystemTime,
    /// When it should run; none for one that never was scheduled.
    pub run_at: Option<SystemTime>,
}

/// The jobs of that type that wait, the oldest first.
///
/// # Errors
/// A failure of the database, or a payload that cannot be read.
pub async fn enqueued<'c, J: Job>(executor: impl PgExecutor<'c> + 'c) -> Result<Vec<EnqueuedJob<J>>, Error> {
    let rows = query(statement(include_str!("sql/enqueued.sql"))).bind(J::KIND).fetch_all(executor).await?;
    rows.iter().map(EnqueuedJob::read).collect()
}

impl<J: Job> EnqueuedJob<J> {
    fn read(row: &PgRow) -> Result<Self, Error> {
        let payload: Vec<u8> = row.try_get("payload")?;
        let stored = Stored::new(row.try_get("version")?, row.try_get("shape")?, &payload);
        let run_at: Option<Timestamp> = row.try_get("run_at")?;
        Ok(Self {
            id: JobId(row.try_get("id")?),
            job: stored.decode()?,
            queue: row.try_get("queue")?,
            priority: row.try_get("priority")?,
            enqueued_at: row.try_get::<Timestamp, _>("enqueued_at")?.0,
            run_at: run_at.map(|run_at| run_at.0),
        })
    }
}

/// What a test expects of an enqueued job; the two macros make it.
#[must_use = "it expects nothing before it is asserted"]
pub struct Expected<J> {
    wanted: Wanted<J>,
    queue: Option<String>,
    priority: Option<i16>,
    after: Option<Duration>,
    at: Option<SystemTime>,
}

enum Wanted<J> {
    Job(J),
    Matching(Box<dyn Fn(&J) -> bool + Send + Sync>),
}

impl<J: Job> Expected<J> {
    /// A job that is like this one in every field.
    pub fn job(job: J) -> Self {
        Self::of(Wanted::Job(job))
    }

    /// A job of which that is true.
    pub fn matching(matches: impl Fn(&J) -> bool + Send + Sync + 'static) -> Self {
        Self::of(Wanted::Matching(Box::new(matches)))
    }

    fn of(wanted: Wanted<J>) -> Self {
        Self { wanted, queue: None, priority: None, after: None, at: None }
    }

    /// In that queue.
    pub fn queue(mut self, queue: &str) -> Self {
        self.queue = Some(queue.to_owned());
        self
    }

    /// With that priority.
    pub fn priority(mut self, priority: i16) -> Self {
        self.priority = Some(priority);
        self
    }

    /// To run after that delay, counted from the enqueue; five seconds more or less.
    pub fn after(mut self, delay: Duration) -> Self {
        self.after = Some(delay);
        self
    }

    /// To run at that time; five seconds more or less.
    pub fn at(mut self, time: SystemTime) -> Self {
        self.at = Some(time);
        self
    }

    /// Returns the first such job.
    ///
    /// # Panics
    /// If there is none, or the database fails.
    #[track_caller]
    pub fn assert_enqueued<'c>(
        self,
        executor: impl PgExecutor<'c> + 'c,
    ) -> impl Future<Output = EnqueuedJob<J>> {
        let caller = std::panic::Location::caller();
        async move {
            let jobs = self.jobs(executor).await;
            let all = describe(&jobs);
            let mut fitting = jobs.into_iter().filter(|job| self.fits(job));
            let found = fitting.next();
            found.unwrap_or_else(|| panic!("at {caller}: no such {} job waits; {all}", J::KIND))
        }
    }

    /// Makes sure that there is no such job.
    ///
    /// # Panics
    /// If there is one, or the database fails.
    #[track_caller]
    pub fn assert_not_enqueued<'c>(self, executor: impl PgExecutor<'c> + 'c) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let jobs = self.jobs(executor).await;
            let fitting: Vec<_> = jobs.into_iter().filter(|job| self.fits(job)).collect();
            assert!(fitting.is_empty(), "at {caller}: such a {} job waits; {}", J::KIND, describe(&fitting));
        }
    }

    async fn jobs<'c>(&self, executor: impl PgExecutor<'c> + 'c) -> Vec<EnqueuedJob<J>> {
        enqueued(executor).await.unwrap_or_else(|error| panic!("cannot look for {} jobs: {error}", J::KIND))
    }

    fn fits(&self, found: &EnqueuedJob<J>) -> bool {
        let wanted = match &self.wanted {
            Wanted::Job(job) => same(job, &found.job),
            Wanted::Matching(matches) => matches(&found.job),
        };
        let time = |wanted: Option<SystemTime>| {
            wanted
                .is_none_or(|wanted| distance(found.run_at.unwrap_or(found.enqueued_at), wanted) <= TOLERANCE)
        };
        wanted
            && self.queue.as_ref().is_none_or(|queue| *queue == found.queue)
            && self.priority.is_none_or(|priority| priority == found.priority)
            && time(self.at)
            && time(self.after.map(|after| found.enqueued_at + after))
    }
}

/// Whether two jobs are equal in every field, although their type may not be comparable.
fn same<J: Job>(left: &J, right: &J) -> bool {
    match (json(left), json(right)) {
        (Some(left), Some(right)) => left == right,
        // Without a JSON form, by their bytes.
        _ => {
            matches!((pgq_core::encode(left), pgq_core::encode(right)), (Ok(left), Ok(right)) if left == right)
        }
    }
}

fn json<J: Job>(job: &J) -> Option<Value> {
    job.__pgq_serialize(serde_json::value::Serializer).ok()
}

fn distance(left: SystemTime, right: SystemTime) -> Duration {
    left.duration_since(right).unwrap_or_else(|before| before.duration())
}

fn describe<J: Job>(jobs: &[EnqueuedJob<J>]) -> String {
    if jobs.is_empty() {
        return "none of its kind does".into();
    }
    let line = |job: &EnqueuedJob<J>| {
        // Without what is sensitive.
        let payload = job.job.__pgq_show(serde_json::value::Serializer).ok();
        let payload = payload.map_or_else(|| "no JSON form".into(), |json| json.to_string());
        let after = job.run_at.map_or(Duration::ZERO, |run_at| distance(run_at, job.enqueued_at));
        format!(
            "\n  job {} in queue {}, priority {}, after {after:?}: {payload}",
            job.id, job.queue, job.priority
        )
    };
    format!("those of its kind are:{}", jobs.iter().map(line).collect::<String>())
}

/// Makes sure that a job waits, and returns it as an [`EnqueuedJob`](crate::testing::EnqueuedJob). Takes a pool or a connection,
/// then a job that must be equal in every field, or a type with a condition; then what else must be true.
///
/// ```no_run
/// # use pgq_postgres::{Context, Enqueue, Job, JobResult, Perform, assert_enqueued};
/// # use std::time::Duration;
/// # #[derive(Job)] struct SendWelcome { user_id: i64 }
/// # impl Perform for SendWelcome { async fn perform(&self, _: &Context) -> JobResult { Ok(()) } }
/// # async fn f(pool: sqlx::PgPool) {
/// assert_enqueued!(&pool, SendWelcome { user_id: 7 });
/// assert_enqueued!(&pool, SendWelcome where |job| job.user_id > 5, queue = "mail", priority = -1);
/// let job = assert_enqueued!(&pool, SendWelcome { user_id: 7 }, after = Duration::from_secs(60));
/// println!("job {} will run at {:?}", job.id, job.run_at);
/// # }
/// ```
///
/// # Panics
/// If there is none; the message lists those of the same kind.
#[macro_export]
macro_rules! assert_enqueued {
    ($executor:expr, $job:expr $(, $key:ident = $value:expr)* $(,)?) => {
        $crate::testing::Expected::job($job)$(.$key($value))*.assert_enqueued($executor).await
    };
    ($executor:expr, $type:ty where $matches:expr $(, $key:ident = $value:expr)* $(,)?) => {
        $crate::testing::Expected::<$type>::matching($matches)$(.$key($value))*.assert_enqueued($executor).await
    };
}

/// Makes sure that no such job waits; takes what [`assert_enqueued!`](crate::assert_enqueued) does.
///
/// # Panics
/// If there is one; the message lists all that fit.
#[macro_export]
macro_rules! assert_not_enqueued {
    ($executor:expr, $job:expr $(, $key:ident = $value:expr)* $(,)?) => {
        $crate::testing::Expected::job($job)$(.$key($value))*.assert_not_enqueued($executor).await
    };
    ($executor:expr, $type:ty where $matches:expr $(, $key:ident = $value:expr)* $(,)?) => {
        $crate::testing::Expected::<$type>::matching($matches)$(.$key($value))*.assert_not_enqueued($executor).await
    };
}
