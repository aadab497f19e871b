//! Many callers that enqueue at the same time share commits.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pgq_core::JobId;
use sqlx::error::DatabaseError;
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres};
use tokio::sync::oneshot::{self, Sender};
use tokio::task::yield_now;

use super::Enqueued;
use super::bulk::Enqueueable;
use super::prepared::{Prepared, enqueue_many, enqueue_unique};
use crate::Error;
use crate::meter::EnqueueMeter;

/// How many statements are under way at a time: while one waits for its commit, the next one is written.
const WRITERS: usize = 2;

/// The most jobs of one statement, and about the most bytes of their payloads.
const MOST_JOBS: usize = 500;
const MOST_BYTES: usize = 4 << 20;

/// Enqueues jobs of callers that come at the same time with one statement and one commit: several times as many jobs a
/// second as each with its own, for web servers and the like that enqueue outside of transactions. A call returns when
/// its job is committed, as it does with a pool; nothing waits for others to come: jobs gather while a statement is
/// under way. Clones share.
///
/// ```no_run
/// # use pgq_postgres::{Context, Enqueue, Enqueuer, Job, JobResult, Perform};
/// # #[derive(Job)] struct SendWelcome { user_id: i64 }
/// # impl Perform for SendWelcome { async fn perform(&self, _: &Context) -> JobResult { Ok(()) } }
/// # async fn f(pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
/// let enqueuer = Enqueuer::new(&pool); // once, kept where all handlers of requests find it
/// enqueuer.enqueue(SendWelcome { user_id: 7 }).await?;
/// enqueuer.enqueue(SendWelcome { user_id: 8 }.priority(-1)).await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Enqueuer {
    pool: PgPool,
    gathered: Arc<Mutex<Gathered>>,
}

#[derive(Debug, Default)]
struct Gathered {
    jobs: VecDeque<Waiting>,
    writers: usize,
}

/// A job, and who waits for what becomes of it.
#[derive(Debug)]
struct Waiting {
    job: Prepared,
    caller: Sender<Result<Enqueued, Error>>,
}

impl Enqueuer {
    /// Takes up to two connections of the pool at a time.
    pub fn new(pool: &PgPool) -> Self {
        Self { pool: pool.clone(), gathered: Arc::default() }
    }

    /// Makes a row of this job; see [`Enqueue::enqueue`](super::Enqueue::enqueue). Call it within a runtime of tokio.
    ///
    /// If the future is dropped, the job may exist.
    ///
    /// # Errors
    /// As [`Enqueue::enqueue`](super::Enqueue::enqueue). A job that the database refuses fails alone. If the connection is
    /// lost, all callers whose jobs were on their way are told, and their jobs may exist.
    pub async fn enqueue(&self, job: impl Enqueueable) -> Result<Enqueued, Error> {
        let job = job.into_prepared()?;
        let (caller, answer) = oneshot::channel();
        let another = {
            let mut gathered = lock(&self.gathered);
            gathered.jobs.push_back(Waiting { job, caller });
            let another = gathered.writers < WRITERS;
            gathered.writers += usize::from(another);
            another
        };
        if another {
            // A task, since this future may be dropped while others wait for what it writes.
            tokio::spawn(Writer { enqueuer: self.clone(), connection: None, has_left: false }.run());
        }
        answer.await.unwrap_or(Err(Error::Database(sqlx::Error::WorkerCrashed)))
    }
}

fn lock(gathered: &Mutex<Gathered>) -> MutexGuard<'_, Gathered> {
    // Nothing in there can panic half-way.
    gathered.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes what has gathered until nothing has.
struct Writer {
    enqueuer: Enqueuer,
    /// Kept from one statement to the next: a pool asks a connection whether it lives each time that it gives it away.
    connection: Option<PoolConnection<Postgres>>,
    /// It is no longer counted.
    has_left: bool,
}

impl Writer {
    async fn run(mut self) {
        while let Some(batch) = self.next() {
            self.write(batch).await;
            // Whoever was just answered may have another job.
            yield_now().await;
        }
    }

    /// What is written next. The same look that finds nothing takes this writer out of the count, so that a caller either
    /// is seen by it or starts another one.
    fn next(&mut self) -> Option<Vec<Waiting>> {
        let mut gathered = lock(&self.enqueuer.gathered);
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < MOST_JOBS && bytes < MOST_BYTES {
            let Some(waiting) = gathered.jobs.pop_front() else { break };
            // Whoever has gone before anything was written wants no job.
            if !waiting.caller.is_closed() {
                bytes += waiting.job.body.len();
                batch.push(waiting);
            }
        }
        if batch.is_empty() {
            gathered.writers -= 1;
            self.has_left = true;
            return None;
        }
        Some(batch)
    }

    async fn write(&mut self, mut batch: Vec<Waiting>) {
        while let Some(first) = batch.first() {
            let (schema, unique) = (first.job.schema.clone(), first.job.unique.is_some());
            let like_first =
                |job: &Prepared| job.schema.name() == schema.name() && job.unique.is_some() == unique;
            let (alike, others) = batch.into_iter().partition(|waiting| like_first(&waiting.job));
            batch = others;
            self.write_alike(alike).await;
        }
    }

    /// With one statement; each alone if the database refuses what is in it, for the sake of the others.
    async fn write_alike(&mut self, batch: Vec<Waiting>) {
        if batch.len() == 1 {
            return self.write_one_by_one(batch).await;
        }
        match self.write_together(&batch).await {
            Ok(answers) => {
                for (waiting, answer) in batch.into_iter().zip(answers) {
                    // A caller may have gone.
                    let _ = waiting.caller.send(answer);
                }
            }
            Err(Error::Database(error)) if is_about_a_job(&error) => self.write_one_by_one(batch).await,
            Err(error) => {
                self.connection = None;
                let error = Arc::new(error);
                for waiting in batch {
                    let _ = waiting.caller.send(Err(Error::Shared(error.clone())));
                }
            }
        }
    }

    async fn write_one_by_one(&mut self, batch: Vec<Waiting>) {
        for Waiting { job, caller } in batch {
            let answer = match self.connection().await {
                Ok(connection) => job.enqueue(connection).await,
                Err(error) => Err(error.into()),
            };
            if answer.is_err() {
                self.connection = None;
            }
            let _ = caller.send(answer);
        }
    }

    async fn write_together(&mut self, batch: &[Waiting]) -> Result<Vec<Result<Enqueued, Error>>, Error> {
        let jobs = batch.iter().map(|waiting| &waiting.job).collect::<Vec<_>>();
        let (schema, connection) = (&jobs[0].schema, self.connection().await?);
        let answers = match jobs[0].unique {
            Some(_) => enqueue_unique(schema, &jobs, connection).await?,
            None => {
                let ids = enqueue_many(schema, &jobs, connection).await?;
                ids.into_iter().map(|id| Ok(Enqueued::New(JobId(id)))).collect()
            }
        };
        let mut tally = EnqueueMeter::default();
        for (job, _) in jobs.iter().zip(&answers).filter(|(_, answer)| matches!(answer, Ok(Enqueued::New(_))))
        {
            tally.add(&job.queue, job.kind);
        }
        tally.tell();
        Ok(answers)
    }

    async fn connection(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            none => Ok(none.insert(self.enqueuer.pool.acquire().await?)),
        }
    }
}

/// Whether one of several jobs may be the reason: its data (class 22 of the codes), a constraint (23), what a trigger
/// raises (P0). Nothing was written then.
fn is_about_a_job(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.is_some_and(|code| ["22", "23", "P0"].iter().any(|class| code.starts_with(class)))
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.has_left {
            lock(&self.enqueuer.gathered).writers -= 1;
        }
    }
}
