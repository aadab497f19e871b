use std::time::SystemTime;

use pgq_core::{JobId, PayloadError, Registry, Stored};
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{Row, query};

use super::audit::Change;
use super::{Admin, JobSummary};
use crate::Error;
use crate::time::Timestamp;

/// A job with all that is known of it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct JobDetails {
    /// What a list shows, too.
    pub summary: JobSummary,
    /// The name of the runner that has it.
    pub runner: Option<String>,
    /// When that claimed it.
    pub claimed_at: Option<SystemTime>,
    /// Somebody asked to cancel it, and it still runs.
    pub cancel_asked: bool,
    /// The version of its type that wrote the payload.
    pub version: i16,
    /// The shape of that.
    pub shape: i32,
    /// The payload as it is stored.
    pub payload: Vec<u8>,
    /// What it wants otherwise than its type.
    pub options: Option<Value>,
    /// The failed attempts that are on record: the first and the last ten.
    pub failures: Vec<Failure>,
    /// What operators did to it.
    pub changes: Vec<Change>,
}

/// A failed attempt.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Failure {
    /// Which; 1 is the first.
    pub attempt: i16,
    /// When it ended.
    pub at: SystemTime,
    /// Its runner died.
    pub crash: bool,
    /// The name of the runner.
    pub runner: String,
    /// What it said.
    pub error: String,
}

impl JobDetails {
    /// The payload for people to read; none if no type in the registry has the kind.
    ///
    /// # Errors
    /// The type there does not read these bytes.
    pub fn render(&self, registry: &Registry) -> Option<Result<Value, PayloadError>> {
        registry.render(&self.summary.kind, Stored::new(self.version, self.shape, &self.payload))
    }
}

impl Admin {
    /// A job, wherever it is; none if there is none of that id (any more).
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn job(&self, job: impl Into<JobId>) -> Result<Option<JobDetails>, Error> {
        let job = job.into();
        let mut tx = self.look().await?;
        let statements = self.schema.statements();
        let found = query(statements.find_job.clone()).bind(job.0).fetch_optional(&mut *tx).await?;
        let Some(row) = found else { return Ok(None) };
        let failures = query(statements.job_failures.clone()).bind(job.0).fetch_all(&mut *tx).await?;
        let changes = query(statements.job_audit.clone()).bind(job.0).fetch_all(&mut *tx).await?;
        tx.rollback().await?;
        let failure = |row: &sqlx::postgres::PgRow| {
            Ok::<_, sqlx::Error>(Failure {
                attempt: row.try_get("attempt")?,
                at: row.try_get::<Timestamp, _>("at")?.0,
                crash: row.try_get("crash")?,
                runner: row.try_get("runner")?,
                error: row.try_get("error")?,
            })
        };
        Ok(Some(JobDetails {
            summary: JobSummary::read(&row)?,
            runner: row.try_get("runner")?,
            claimed_at: row.try_get::<Option<Timestamp>, _>("claimed_at")?.map(|time| time.0),
            cancel_asked: row.try_get("cancel_asked")?,
            version: row.try_get("version")?,
            shape: row.try_get("shape")?,
            payload: row.try_get::<Option<_>, _>("payload")?.unwrap_or_default(),
            options: row.try_get::<Option<Json<_>>, _>("options")?.map(|Json(options)| options),
            failures: failures.iter().map(failure).collect::<Result<_, _>>()?,
            changes: changes.iter().map(Change::read).collect::<Result<_, _>>()?,
        }))
    }
}
