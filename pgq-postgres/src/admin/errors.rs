use std::time::{Duration, SystemTime};

use pgq_core::JobId;
use sqlx::postgres::PgRow;
use sqlx::{Row, query};

use super::{Admin, unsigned};
use crate::Error;
use crate::time::{Timestamp, interval};

/// How many failures are looked at, the latest.
const LOOK_AT: i64 = 5_000;

/// Failures whose errors differ in numbers, ids and quoted texts alone.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ErrorGroup {
    /// Of what the errors have in common; the same at every look.
    pub fingerprint: String,
    /// How many attempts failed so, of the last 5,000 that failed.
    pub failures: u64,
    /// Of how many jobs.
    pub jobs: u64,
    /// The first of these.
    pub first_at: SystemTime,
    /// The last.
    pub last_at: SystemTime,
    /// Whether runners died.
    pub crash: bool,
    /// What the last one said; its beginning.
    pub error: String,
    /// The job of that.
    pub last_job: JobId,
    /// The kinds of those jobs that are scheduled, run or have ended; jobs that are ready are not looked for.
    pub kinds: Vec<String>,
}

impl Admin {
    /// What failed in the last time, by what the errors have in common: the `limit` largest groups.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn error_groups(&self, since: Duration, limit: usize) -> Result<Vec<ErrorGroup>, Error> {
        let mut tx = self.look().await?;
        let rows = query(self.schema.statements().error_groups.clone())
            .bind(interval(since))
            .bind(LOOK_AT)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&mut *tx)
            .await?;
        tx.rollback().await?;
        Ok(rows.iter().map(ErrorGroup::read).collect::<Result<_, _>>()?)
    }
}

impl ErrorGroup {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            fingerprint: row.try_get("fingerprint")?,
            failures: unsigned(row.try_get("failures")?),
            jobs: unsigned(row.try_get("jobs")?),
            first_at: row.try_get::<Timestamp, _>("first_at")?.0,
            last_at: row.try_get::<Timestamp, _>("last_at")?.0,
            crash: row.try_get("crash")?,
            error: row.try_get("error")?,
            last_job: JobId(row.try_get("last_job")?),
            kinds: row.try_get("kinds")?,
        })
    }
}
