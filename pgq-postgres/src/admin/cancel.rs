use pgq_core::JobId;
use sqlx::{query, query_scalar};

use super::Admin;
use crate::Error;

/// How often a job that is on the move between two tables is looked for again. A job that fails or snoozes without
/// a wait is missed by about one look in four.
pub(super) const LOOKS: usize = 100;

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
                .bind(&self.actor)
                .fetch_optional(&self.pool)
                .await?;
            if waiting.is_some() {
                return Ok(Cancelled::Waiting);
            }
            let running = query(statements.cancel_running.clone())
                .bind(job.0)
                .bind(self.schema.channel())
                .bind(&self.actor)
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

    async fn is_marked(&self, job: JobId) -> Result<bool, Error> {
        let marked = query_scalar(self.schema.statements().cancel_asked.clone());
        Ok(marked.bind(job.0).fetch_one(&self.pool).await?)
    }
}
