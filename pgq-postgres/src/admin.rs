use pgq_core::{JobId, QueueName};
use sqlx::{PgPool, query, query_scalar};

use crate::{Error, Schema};

/// How often a job that is on the move between two tables is looked for again. A job that fails or snoozes without
/// a wait is missed by about one look in four.
const LOOKS: usize = 100;

/// What operators do: cancel a job, pause and resume a queue. Works from any process.
///
/// ```no_run
/// # async fn f(pool: sqlx::PgPool) -> Result<(), pgq_postgres::Error> {
/// use pgq_postgres::{Admin, JobId};
/// let admin = Admin::new(&pool);
/// admin.pause("send_welcome").await?;
/// admin.cancel(JobId(7)).await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Admin {
    pool: PgPool,
    schema: Schema,
}

/// What became of a request to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cancelled {
    /// The job waited; it is cancelled now.
    Waiting,
    /// The job runs; its handler is told. It completes if it gets there first, and otherwise ends cancelled: it
    /// neither retries nor snoozes.
    Running,
    /// The job had come to its end before, or never was.
    Gone,
}

impl Admin {
    /// Operates on the schema `pgq` through that pool.
    pub fn new(pool: &PgPool) -> Self {
        Self { pool: pool.clone(), schema: Schema::default() }
    }

    /// On another schema.
    #[must_use]
    pub fn schema(self, schema: &Schema) -> Self {
        Self { schema: schema.clone(), ..self }
    }

    /// Cancels a job, wherever it is. What commits first wins: a job that completes before stays completed.
    ///
    /// # Errors
    /// A failure of the database, or a job that was elsewhere at every one of many looks.
    pub async fn cancel(&self, job: impl Into<JobId>) -> Result<Cancelled, Error> {
        let job = job.into();
        let statements = self.schema.statements();
        for _ in 0..LOOKS {
            let waiting: Option<i64> = query_scalar(statements.cancel_waiting.clone())
                .bind(job.0)
                .fetch_optional(&self.pool)
                .await?;
            if waiting.is_some() {
                return Ok(Cancelled::Waiting);
            }
            let running = query(statements.cancel_running.clone())
                .bind(job.0)
                .bind(self.schema.channel())
                .fetch_optional(&self.pool)
                .await?;
            if running.is_some() {
                return Ok(Cancelled::Running);
            }
            // Claimed or settled between the two looks; or already marked, or gone.
            let state: Option<String> =
                query_scalar(statements.job_state.clone()).bind(job.0).fetch_optional(&self.pool).await?;
            match state.as_deref() {
                Some("completed" | "discarded" | "cancelled") | None => return Ok(Cancelled::Gone),
                Some("running") if self.is_marked(job).await? => return Ok(Cancelled::Running),
                Some(_) => {}
            }
        }
        Err(Error::OnTheMove(job))
    }

    /// No runner claims from this queue until it is resumed. Jobs that run go on.
    ///
    /// # Errors
    /// A bad name, or a failure of the database.
    pub async fn pause(&self, queue: &str) -> Result<(), Error> {
        QueueName::new(queue)?;
        query(self.schema.statements().pause.clone()).bind(queue).execute(&self.pool).await?;
        Ok(())
    }

    /// Ends a pause; nothing happens where there is none.
    ///
    /// # Errors
    /// A bad name, or a failure of the database.
    pub async fn resume(&self, queue: &str) -> Result<(), Error> {
        QueueName::new(queue)?;
        let resume = query(self.schema.statements().resume.clone()).bind(queue).bind(self.schema.channel());
        resume.execute(&self.pool).await?;
        Ok(())
    }

    async fn is_marked(&self, job: JobId) -> Result<bool, Error> {
        let marked = query_scalar(self.schema.statements().cancel_asked.clone());
        Ok(marked.bind(job.0).fetch_one(&self.pool).await?)
    }
}
