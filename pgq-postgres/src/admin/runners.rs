use std::time::{Duration, SystemTime};

use pgq_core::JobId;
use sqlx::postgres::PgRow;
use sqlx::{Row, query};
use uuid::Uuid;

use super::{Admin, seconds, unsigned};
use crate::Error;
use crate::time::Timestamp;

/// A runner, by its row in the database.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RunnerStatus {
    /// Fresh at every start.
    pub id: Uuid,
    /// Host and process.
    pub name: String,
    /// When it started.
    pub started_at: SystemTime,
    /// The version of pgq it was built with.
    pub library: String,
    /// How many jobs it runs at a time.
    pub slots: u32,
    /// The queues it serves.
    pub queues: Vec<String>,
    /// The kinds it knows.
    pub kinds: Vec<String>,
    /// How long ago its last heartbeat was.
    pub silent: Duration,
    /// Whether others take it for alive: dead runners stay here until they are rescued.
    pub alive: bool,
    /// How many jobs it has in hand, those that wait for a slot included.
    pub in_hand: u64,
    /// The first of these, as many as were asked for, those claimed first first.
    pub jobs: Vec<InHand>,
}

/// A job in the hands of a runner.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct InHand {
    /// The job.
    pub id: JobId,
    /// The name of its type.
    pub kind: String,
    /// Its queue.
    pub queue: String,
    /// Which attempt this is.
    pub attempt: i16,
    /// How long ago it was claimed.
    pub since: Duration,
}

impl Admin {
    /// The runners, those that started last first, each with up to so many of the jobs it has in hand.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn runners(&self, jobs: usize) -> Result<Vec<RunnerStatus>, Error> {
        let mut tx = self.look().await?;
        let runners =
            query(self.schema.statements().runners.clone()).bind(i64::try_from(jobs).unwrap_or(i64::MAX));
        let rows = runners.fetch_all(&mut *tx).await?;
        tx.rollback().await?;
        Ok(rows.iter().map(RunnerStatus::read).collect::<Result<_, _>>()?)
    }
}

impl RunnerStatus {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            started_at: row.try_get::<Timestamp, _>("started_at")?.0,
            library: row.try_get("library")?,
            slots: u32::try_from(row.try_get::<i32, _>("slots")?).unwrap_or(0),
            queues: row.try_get("queues")?,
            kinds: row.try_get("kinds")?,
            silent: seconds(row.try_get("silent_seconds")?),
            alive: row.try_get("alive")?,
            in_hand: unsigned(row.try_get("in_hand")?),
            jobs: in_hand(row)?,
        })
    }
}

/// The arrays have one element for each job.
fn in_hand(row: &PgRow) -> Result<Vec<InHand>, sqlx::Error> {
    let ids: Vec<i64> = row.try_get::<Option<_>, _>("ids")?.unwrap_or_default();
    let kinds: Vec<String> = row.try_get::<Option<_>, _>("job_kinds")?.unwrap_or_default();
    let queues: Vec<String> = row.try_get::<Option<_>, _>("job_queues")?.unwrap_or_default();
    let attempts: Vec<i16> = row.try_get::<Option<_>, _>("attempts")?.unwrap_or_default();
    let since: Vec<f64> = row.try_get::<Option<_>, _>("seconds")?.unwrap_or_default();
    let jobs = ids.into_iter().zip(kinds).zip(queues).zip(attempts).zip(since);
    Ok(jobs
        .map(|((((id, kind), queue), attempt), since)| InHand {
            id: JobId(id),
            kind,
            queue,
            attempt,
            since: seconds(since),
        })
        .collect())
}
