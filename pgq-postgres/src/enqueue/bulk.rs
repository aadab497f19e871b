use std::collections::BTreeSet;

use pgq_core::{Job, JobId, JobOptions};
use sqlx::types::Json;
use sqlx::{Acquire, Connection, PgConnection, Postgres, Row, query};

use super::copy::Rows;
use super::prepared::{INLINE_BYTES, Prepared, When, enqueue_unique};
use super::{Enqueue, Enqueued, ToEnqueue};
use crate::time::{micros, micros_of};
use crate::{Error, Schema};

/// How many jobs are on their way at a time.
const CHUNK_JOBS: usize = 5_000;

/// How many bytes of them.
const CHUNK_BYTES: usize = 4 << 20;

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
/// They are taken from the iterator, encoded and sent by `COPY` in chunks of 5,000 jobs or 4 MiB, so a million of them
/// need not be in memory at a time. All must go to the same schema.
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
pub async fn enqueue_all<'c, A, I>(acquire: A, jobs: I) -> Result<Vec<Enqueued>, Error>
where
    A: Acquire<'c, Database = Postgres>,
    I: IntoIterator<Item: Enqueueable>,
{
    let mut jobs = jobs.into_iter();
    let mut connection = acquire.acquire().await?;
    let mut tx = Connection::begin(&mut *connection).await?;
    let mut bulk = Bulk::default();
    let mut done = false;
    while !done {
        done = bulk.gather(&mut jobs)?;
        bulk.send(&mut tx).await?;
    }
    bulk.wake(&mut tx).await?;
    tx.commit().await?;
    Ok(bulk.enqueued)
}

/// A large enqueue under way.
#[derive(Default)]
struct Bulk {
    schema: Option<Schema>,
    chunk: Vec<Prepared>,
    ready: Rows,
    scheduled: Rows,
    payloads: Rows,
    queues: BTreeSet<String>,
    enqueued: Vec<Enqueued>,
}

impl Bulk {
    /// Takes the next chunk. True if it was the last.
    fn gather(&mut self, jobs: &mut impl Iterator<Item: Enqueueable>) -> Result<bool, Error> {
        let mut bytes = 0;
        while self.chunk.len() < CHUNK_JOBS && bytes < CHUNK_BYTES {
            let Some(job) = jobs.next() else { return Ok(true) };
            let job = job.into_prepared()?;
            if self.schema.get_or_insert_with(|| job.schema.clone()).name() != job.schema.name() {
                return Err(Error::Setting(format!(
                    "enqueue_all was given jobs for the schemas {:?} and {:?}: call it for each",
                    self.schema.as_ref().map_or("", Schema::name),
                    job.schema.name()
                )));
            }
            bytes += job.body.len();
            if !self.queues.contains(&*job.queue) {
                self.queues.insert(job.queue.clone().into_owned());
            }
            self.chunk.push(job);
        }
        Ok(false)
    }

    /// Writes the chunk.
    async fn send(&mut self, to: &mut PgConnection) -> Result<(), Error> {
        let Some(schema) = self.schema.clone() else { return Ok(()) };
        let chunk = std::mem::take(&mut self.chunk);
        let common = chunk.iter().filter(|job| job.unique.is_none()).count();
        let (ids, now) = reserve(&schema, common, to).await?;
        let mut ids = ids.into_iter();
        let first = self.enqueued.len();
        let mut unique = Vec::new();
        for job in &chunk {
            // A unique job's answer takes this place as soon as it is known.
            let mut id = 0;
            match job.unique {
                Some(_) => unique.push((self.enqueued.len() - first, job)),
                None => {
                    id = ids.next().ok_or(sqlx::Error::RowNotFound)?;
                    self.write(id, now, job)?;
                }
            }
            self.enqueued.push(Enqueued::New(JobId(id)));
        }
        let statements = schema.statements();
        self.ready.send(to, statements.copy_ready.as_str()).await?;
        self.scheduled.send(to, statements.copy_scheduled.as_str()).await?;
        self.payloads.send(to, statements.copy_payloads.as_str()).await?;
        if !unique.is_empty() {
            let (places, jobs): (Vec<usize>, Vec<&Prepared>) = unique.into_iter().unzip();
            let answers = enqueue_unique(&schema, &jobs, to).await?;
            for (place, answer) in places.into_iter().zip(answers) {
                self.enqueued[first + place] = answer?;
            }
        }
        self.chunk = chunk;
        self.chunk.clear();
        Ok(())
    }

    /// Puts a job into the rows of its table.
    fn write(&mut self, id: i64, now: i64, job: &Prepared) -> Result<(), Error> {
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

    /// Wakes runners that sleep where a job now is.
    async fn wake(&self, tx: &mut PgConnection) -> Result<(), sqlx::Error> {
        let Some(schema) = &self.schema else { return Ok(()) };
        let queues: Vec<&str> = self.queues.iter().map(String::as_str).collect();
        query(schema.statements().wake_queues.clone())
            .bind(queues)
            .bind(schema.channel())
            .execute(tx)
            .await?;
        Ok(())
    }
}

/// Ids for that many jobs, and the database's time in microseconds after 2000-01-01 UTC.
async fn reserve(
    schema: &Schema,
    jobs: usize,
    connection: &mut PgConnection,
) -> Result<(Vec<i64>, i64), sqlx::Error> {
    if jobs == 0 {
        return Ok((Vec::new(), 0));
    }
    let reserve =
        query(schema.statements().reserve_ids.clone()).bind(i32::try_from(jobs).unwrap_or(i32::MAX));
    let row = reserve.fetch_one(connection).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

fn json(options: &JobOptions) -> Result<Vec<u8>, sqlx::Error> {
    serde_json::to_vec(options).map_err(|error| sqlx::Error::Encode(error.into()))
}
