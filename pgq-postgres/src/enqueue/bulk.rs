use std::collections::BTreeSet;

use pgq_core::{Job, JobId, JobOptions};
use sqlx::types::Json;
use sqlx::{Acquire, PgConnection, Postgres, Row, query};

use super::copy::Rows;
use super::prepared::{INLINE_BYTES, Prepared, When, enqueue_unique};
use super::whole::Whole;
use super::{Enqueue, Enqueued, ToEnqueue};
use crate::meter::EnqueueMeter;
use crate::time::{micros, micros_of};
use crate::{Error, Schema};

/// How many jobs one `COPY` takes: few at first, since their ids are reserved before they are counted.
const FIRST_STRETCH: usize = 1_000;
const LONGEST_STRETCH: usize = 64_000;

/// How many bytes are sent at a time. The server works on them while the next are encoded.
const SENT_BYTES: usize = 64 << 10;

/// How many bytes of scheduled jobs and of large bodies, and how many unique jobs, wait for the end of a stretch.
const WAITING_BYTES: usize = 4 << 20;
const WAITING_UNIQUE: usize = 5_000;

/// What [`enqueue_all`] takes: jobs, jobs with settings of their own, and prepared jobs of any types.
pub trait Enqueueable {
    /// Checks and encodes it.
    ///
    /// # Errors
    /// A payload that is too large or cannot be encoded, or a setting that makes no sense.
    fn into_prepared(self) -> Result<Prepared, Error>;
}

impl<J: Job> Enqueueable for J {
    fn into_prepared(self) -> Result<Prepared, Error> {
        self.prepare()
    }
}

impl<J: Job> Enqueueable for ToEnqueue<J> {
    fn into_prepared(self) -> Result<Prepared, Error> {
        self.prepare()
    }
}

impl Enqueueable for Prepared {
    fn into_prepared(self) -> Result<Prepared, Error> {
        Ok(self)
    }
}

/// Enqueues many jobs, all or none of them, and says in their order what became of each. With a pool they have a
/// transaction of their own; with a transaction they are part of it.
///
/// They are taken from the iterator one by one, encoded, and sent by `COPY`, so a million of them need not be in memory at
/// a time. All must go to the same schema.
///
/// If the future is dropped half-way, as by a timeout, nothing is enqueued, and the session is ended; a pool opens another
/// one. A transaction of the caller's must then be given up: some of the jobs may be part of it, or its session
/// ended.
///
/// ```no_run
/// # use pgq_postgres::{Context, Enqueue, Job, JobResult, Perform, enqueue_all};
/// # #[derive(Job)] struct SendWelcome { user_id: i64 }
/// # impl Perform for SendWelcome { async fn perform(&self, _: &Context) -> JobResult { Ok(()) } }
/// # async fn f(pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
/// enqueue_all(&pool, (0..1_000_000).map(|user_id| SendWelcome { user_id })).await?;
///
/// let mut tx = pool.begin().await?;
/// let mixed = [SendWelcome { user_id: 7 }.prepare()?, SendWelcome { user_id: 8 }.priority(-1).prepare()?];
/// let ids = enqueue_all(&mut *tx, mixed).await?;
/// tx.commit().await?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// As [`Enqueue::enqueue`], for the first job that fails; then nothing is enqueued. A failure of the database.
pub fn enqueue_all<'c, A, I>(acquire: A, jobs: I) -> impl Future<Output = Result<Vec<Enqueued>, Error>> + Send
where
    A: Acquire<'c, Database = Postgres> + Send,
    I: IntoIterator<Item: Enqueueable, IntoIter: Send> + Send,
{
    write_all(acquire, jobs)
}

async fn write_all<'c, A, I>(acquire: A, jobs: I) -> Result<Vec<Enqueued>, Error>
where
    A: Acquire<'c, Database = Postgres>,
    I: IntoIterator<Item: Enqueueable>,
{
    let mut jobs = jobs.into_iter();
    let mut bulk = Bulk::default();
    let Some(first) = bulk.next(&mut jobs)? else { return Ok(Vec::new()) };
    let mut connection = acquire.acquire().await?;
    let mut whole = Whole::begin(&mut connection).await?;
    let written = bulk.write_from(first, &mut jobs, &mut whole).await;
    if let Err(error) = written {
        // What failed says more than that it could not be undone, which the caller is told by all that follows.
        let _ = whole.roll_back().await;
        return Err(error);
    }
    whole.commit().await?;
    bulk.tally.tell();
    Ok(bulk.enqueued)
}

/// A large enqueue under way.
#[derive(Default)]
struct Bulk {
    schema: Schema,
    queues: BTreeSet<String>,
    ready: Rows,
    scheduled: Rows,
    payloads: Rows,
    /// With the places of their answers.
    unique: Vec<(usize, Prepared)>,
    enqueued: Vec<Enqueued>,
    tally: EnqueueMeter,
}

impl Bulk {
    /// Checks and encodes the next job.
    fn next(&mut self, jobs: &mut impl Iterator<Item: Enqueueable>) -> Result<Option<Prepared>, Error> {
        let Some(job) = jobs.next() else { return Ok(None) };
        let job = job.into_prepared()?;
        if self.queues.is_empty() {
            self.schema = job.schema.clone();
        }
        if self.schema.name() != job.schema.name() {
            return Err(Error::Setting(format!(
                "enqueue_all was given jobs for the schemas {:?} and {:?}: call it for each",
                self.schema.name(),
                job.schema.name()
            )));
        }
        if !self.queues.contains(&*job.queue) {
            self.queues.insert(job.queue.clone().into_owned());
        }
        Ok(Some(job))
    }

    /// Writes all jobs, of which the first was taken already.
    async fn write_from(
        &mut self,
        first: Prepared,
        jobs: &mut impl Iterator<Item: Enqueueable>,
        to: &mut Whole<'_>,
    ) -> Result<(), Error> {
        let mut next = Some(first);
        let mut size = FIRST_STRETCH;
        while let Some(first) = next {
            next = self.stretch(first, jobs, size, to).await?;
            size = (size * 4).min(LONGEST_STRETCH);
        }
        Ok(self.wake(to).await?)
    }

    /// Writes up to that many jobs, and returns the first of the next stretch.
    async fn stretch(
        &mut self,
        first: Prepared,
        jobs: &mut impl Iterator<Item: Enqueueable>,
        size: usize,
        to: &mut Whole<'_>,
    ) -> Result<Option<Prepared>, Error> {
        let schema = self.schema.clone();
        let statements = schema.statements();
        let (ids, now) = reserve(&schema, size, to).await?;
        let mut copy = to.copy(statements.copy_ready.as_str()).await?;
        let mut next = Some(first);
        for id in ids {
            let Some(job) = next else { break };
            next = match self.write(id, now, job).and_then(|()| self.next(jobs)) {
                Ok(next) => next,
                Err(error) => {
                    copy.abort("a job that cannot be written").await?;
                    to.copied();
                    return Err(error);
                }
            };
            if self.ready.len() >= SENT_BYTES {
                self.ready.pass_to(&mut copy).await?;
            }
            if self.is_long() {
                break;
            }
        }
        self.ready.finish(copy).await?;
        to.copied();
        self.scheduled.send(to, statements.copy_scheduled.as_str()).await?;
        self.payloads.send(to, statements.copy_payloads.as_str()).await?;
        self.send_unique(&schema, to).await?;
        Ok(next)
    }

    /// Whether enough waits for the end of the stretch.
    fn is_long(&self) -> bool {
        self.scheduled.len() + self.payloads.len() >= WAITING_BYTES || self.unique.len() >= WAITING_UNIQUE
    }

    /// Puts a job into the rows of its table.
    fn write(&mut self, id: i64, now: i64, job: Prepared) -> Result<(), Error> {
        let place = self.enqueued.len();
        // A unique job's answer takes this place as soon as it is known.
        self.enqueued.push(Enqueued::New(JobId(id)));
        if job.unique.is_some() {
            self.unique.push((place, job));
            return Ok(());
        }
        self.tally.add(&job.queue, job.kind);
        let run_at = match job.when {
            When::Now => None,
            When::After(delay) => Some(now.saturating_add(micros(delay))),
            When::At(time) => Some(micros_of(time)),
        };
        let is_due = run_at.is_none_or(|run_at| run_at <= now);
        let large = job.body.len() > INLINE_BYTES;
        let rows = if is_due { &mut self.ready } else { &mut self.scheduled };
        rows.row(10);
        rows.int8(id);
        rows.int4(job.shape);
        rows.int2(job.priority);
        rows.int2(job.version);
        rows.int2(job.max_attempts);
        rows.column(job.queue.as_bytes());
        rows.column(job.kind.as_bytes());
        if large {
            rows.null()
        } else {
            rows.column(&job.body)
        }
        match &job.options {
            Some(Json(options)) => rows.jsonb(&json(options)?),
            None => rows.null(),
        }
        match run_at {
            Some(run_at) => rows.int8(run_at),
            None => rows.null(),
        }
        if large {
            self.payloads.row(2);
            self.payloads.int8(id);
            self.payloads.column(&job.body);
        }
        Ok(())
    }

    async fn send_unique(&mut self, schema: &Schema, to: &mut PgConnection) -> Result<(), Error> {
        if self.unique.is_empty() {
            return Ok(());
        }
        let (places, jobs): (Vec<usize>, Vec<Prepared>) = self.unique.drain(..).unzip();
        let answers = enqueue_unique(schema, &jobs.iter().collect::<Vec<_>>(), to).await?;
        for ((place, answer), job) in places.into_iter().zip(answers).zip(&jobs) {
            self.enqueued[place] = answer?;
            if self.enqueued[place].is_new() {
                self.tally.add(&job.queue, job.kind);
            }
        }
        Ok(())
    }

    /// Wakes runners that sleep where a job now is.
    async fn wake(&self, tx: &mut PgConnection) -> Result<(), sqlx::Error> {
        let queues: Vec<&str> = self.queues.iter().map(String::as_str).collect();
        let wake =
            query(self.schema.statements().wake_queues.clone()).bind(queues).bind(self.schema.channel());
        wake.execute(tx).await?;
        Ok(())
    }
}

/// Ids for that many jobs, and the database's time in microseconds after 2000-01-01 UTC.
async fn reserve(
    schema: &Schema,
    jobs: usize,
    connection: &mut PgConnection,
) -> Result<(Vec<i64>, i64), sqlx::Error> {
    let reserve =
        query(schema.statements().reserve_ids.clone()).bind(i32::try_from(jobs).unwrap_or(i32::MAX));
    let row = reserve.fetch_one(connection).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

fn json(options: &JobOptions) -> Result<Vec<u8>, sqlx::Error> {
    serde_json::to_vec(options).map_err(|error| sqlx::Error::Encode(error.into()))
}
