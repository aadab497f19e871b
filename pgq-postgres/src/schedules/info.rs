use std::time::{Duration, SystemTime};

use pgq_core::{JobId, MAX_MISSED, Missed, Overlap};
use pgq_cron::Cron;
use sqlx::postgres::PgRow;
use sqlx::postgres::types::PgInterval;
use sqlx::{FromRow, Row};

use crate::Error;
use crate::time::Timestamp;

/// A schedule as it is in the database.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScheduleInfo {
    /// Its name; the kind of its jobs if a program declared it.
    pub name: String,
    /// The cron expression.
    pub cron: String,
    /// The time zone whose clocks it follows.
    pub timezone: String,
    /// What becomes of missed ticks.
    pub missed: Missed,
    /// What becomes of a tick that finds the job before it unfinished.
    pub overlap: Overlap,
    /// How long after a tick its job runs at the latest.
    pub jitter: Duration,
    /// The kind of its jobs.
    pub kind: String,
    /// The queue of its jobs.
    pub queue: String,
    /// Whether a program has declared it.
    pub declared: bool,
    /// When it was made.
    pub created_at: SystemTime,
    /// Since when it is paused.
    pub paused_at: Option<SystemTime>,
    /// The last tick that was fired.
    pub last_at: Option<SystemTime>,
    /// The last job that it made.
    pub last_job: Option<JobId>,
    /// The next tick; none while it is paused.
    pub next_at: Option<SystemTime>,
    /// The database's now when this was read.
    pub now: SystemTime,
    pub(super) revision: i32,
}

impl ScheduleInfo {
    /// The next `ticks` ticks after [`now`](Self::now); what they would be, if it is paused.
    ///
    /// # Errors
    /// A cron expression or time zone that this program cannot read: another one, of a newer library, wrote it.
    pub fn next(&self, ticks: usize) -> Result<Vec<SystemTime>, Error> {
        Ok(Cron::parse(&self.cron, &self.timezone)?.upcoming(self.now).take(ticks).collect())
    }
}

/// From `schedules.sql`.
impl FromRow<'_, PgRow> for ScheduleInfo {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let time = |column: &str| row.try_get(column).map(|time: Timestamp| time.0);
        let maybe = |column: &str| row.try_get(column).map(|time: Option<Timestamp>| time.map(|time| time.0));
        let jitter: PgInterval = row.try_get("jitter")?;
        Ok(Self {
            name: row.try_get("name")?,
            revision: row.try_get("revision")?,
            cron: row.try_get("cron")?,
            timezone: row.try_get("timezone")?,
            missed: missed(row.try_get("missed")?, row.try_get("missed_most")?),
            overlap: overlap(row.try_get("overlap")?),
            jitter: Duration::from_micros(jitter.microseconds.max(0).unsigned_abs()),
            kind: row.try_get("kind")?,
            queue: row.try_get("queue")?,
            declared: row.try_get("declared")?,
            created_at: time("created_at")?,
            paused_at: maybe("paused_at")?,
            last_at: maybe("last_at")?,
            last_job: row.try_get("last_job").map(|job: Option<i64>| job.map(JobId))?,
            next_at: maybe("next_at")?,
            now: time("now")?,
        })
    }
}

fn overlap(name: &str) -> Overlap {
    match name {
        "skip" => Overlap::Skip,
        "replace" => Overlap::Replace,
        _ => Overlap::Allow,
    }
}

/// The policy that these columns say.
pub(crate) fn missed(name: &str, most: i16) -> Missed {
    match name {
        "skip" => Missed::Skip,
        "all" => Missed::All(u16::try_from(most).unwrap_or(0)),
        _ => Missed::Once,
    }
}

/// The columns of a policy.
pub(crate) fn missed_columns(missed: Missed) -> (&'static str, i16) {
    let most = if let Missed::All(most) = missed { most.clamp(1, MAX_MISSED) } else { 1 };
    (missed.as_str(), i16::try_from(most).unwrap_or(i16::MAX))
}
