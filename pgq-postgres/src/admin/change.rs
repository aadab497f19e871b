use std::time::{Duration, SystemTime};

use pgq_core::JobId;
use serde_json::{Value, json};
use sqlx::types::Json;
use sqlx::{PgConnection, Row, query, query_scalar};

use super::cancel::LOOKS;
use super::{Admin, JobSummary, State};
use crate::runner::MAX_CRASHES;
use crate::time::{Timestamp, interval};
use crate::{Error, enqueue};

/// When a job shall run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum When {
    /// At once.
    Now,
    /// That long from now, by the database's clock.
    After(Duration),
    /// Then.
    At(SystemTime),
}

/// What became of the request to change one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Changed {
    /// It is done.
    Done,
    /// Nothing: the job runs, and is left alone.
    Running,
    /// Nothing: the job has come to its end before.
    Finished(State),
    /// Nothing: the job is unique, and another one holds its key.
    KeyTaken,
    /// Nothing: there is no such job.
    Gone,
}

/// A change, as it is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Action {
    Retry,
    Discard,
    Cancel,
    Reprioritise(i16),
    Reschedule(When),
}

/// What a change did to some jobs.
#[derive(Debug, Default)]
pub(super) struct Did {
    pub(super) changed: usize,
    pub(super) keys_taken: usize,
}

impl Action {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Discard => "discard",
            Self::Cancel => "cancel",
            Self::Reprioritise(_) => "reprioritise",
            Self::Reschedule(_) => "reschedule",
        }
    }

    pub(super) fn check(self) -> Result<(), Error> {
        match self {
            Self::Reschedule(When::After(delay)) if delay > enqueue::LONGEST_DELAY => {
                Err(Error::RunAtTooLate)
            }
            Self::Reschedule(When::At(time)) if enqueue::is_too_late(time) => Err(Error::RunAtTooLate),
            _ => Ok(()),
        }
    }

    /// What is set, as it stands in the audit.
    fn setting(self) -> Option<(&'static str, Value)> {
        match self {
            Self::Reprioritise(priority) => Some(("priority", json!(priority))),
            Self::Reschedule(When::Now) => Some(("after_s", json!(0))),
            Self::Reschedule(When::After(delay)) => Some(("after_s", json!(delay.as_secs()))),
            Self::Reschedule(When::At(time)) => {
                let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                Some(("at_unix_s", json!(since.as_secs())))
            }
            _ => None,
        }
    }

    /// The audit's detail, with the filter of a bulk change.
    pub(super) fn detail(self, filter: Option<Value>) -> Option<Value> {
        let parts = self.setting().into_iter().chain(filter.map(|filter| ("filter", filter)));
        let detail: serde_json::Map<_, _> = parts.map(|(name, value)| (name.to_owned(), value)).collect();
        (!detail.is_empty()).then_some(Value::Object(detail))
    }
}

impl Admin {
    /// Lets a job run again now: one that is discarded, cancelled, completed, scheduled or parked. A finished one has
    /// at least one attempt more; its history stays.
    ///
    /// # Errors
    /// A failure of the database, or a job that was elsewhere at every one of many looks.
    pub async fn retry(&self, job: impl Into<JobId>) -> Result<Changed, Error> {
        self.change(job.into(), Action::Retry).await
    }

    /// Ends a job that waits, as failed. One that runs is left alone: see [`cancel`](Self::cancel).
    ///
    /// # Errors
    /// As [`retry`](Self::retry).
    pub async fn discard(&self, job: impl Into<JobId>) -> Result<Changed, Error> {
        self.change(job.into(), Action::Discard).await
    }

    /// Gives a job that waits another priority; lower runs first.
    ///
    /// # Errors
    /// As [`retry`](Self::retry).
    pub async fn reprioritise(&self, job: impl Into<JobId>, priority: i16) -> Result<Changed, Error> {
        self.change(job.into(), Action::Reprioritise(priority)).await
    }

    /// Lets a job that waits run at another time.
    ///
    /// # Errors
    /// As [`retry`](Self::retry); besides a time after the year 9999.
    pub async fn reschedule(&self, job: impl Into<JobId>, when: When) -> Result<Changed, Error> {
        self.change(job.into(), Action::Reschedule(when)).await
    }

    async fn change(&self, job: JobId, action: Action) -> Result<Changed, Error> {
        action.check()?;
        for _ in 0..LOOKS {
            let Some(details) = self.job(job).await? else { return Ok(Changed::Gone) };
            let found = details.summary;
            match found.state {
                State::Running => return Ok(Changed::Running),
                state if state.is_finished() && !matches!(action, Action::Retry) => {
                    return Ok(Changed::Finished(state));
                }
                _ => {}
            }
            let mut connection = self.pool.acquire().await?;
            let did = self.apply(&mut connection, action, std::slice::from_ref(&found), None).await?;
            match did {
                Did { changed: 1.., .. } => return Ok(Changed::Done),
                Did { keys_taken: 1.., .. } => return Ok(Changed::KeyTaken),
                _ => {}
            }
        }
        Err(Error::OnTheMove(job))
    }

    /// Changes those of these jobs that are still where they were seen.
    pub(super) async fn apply(
        &self,
        connection: &mut PgConnection,
        action: Action,
        jobs: &[JobSummary],
        filter: Option<Value>,
    ) -> Result<Did, Error> {
        let detail = action.detail(filter).map(Json);
        let (finished, rest): (Vec<_>, Vec<_>) = jobs.iter().partition(|job| job.state.is_finished());
        let (running, waiting): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|job| job.state == State::Running);
        let mut did = Did::default();
        if !finished.is_empty() && matches!(action, Action::Retry) {
            did = self.retry_finished(connection, &finished, detail.as_ref()).await?;
        }
        if !waiting.is_empty() {
            did.changed += match action {
                Action::Cancel => self.end_waiting(connection, &waiting, ENDS[0], detail.as_ref()).await?,
                Action::Discard => self.end_waiting(connection, &waiting, ENDS[1], detail.as_ref()).await?,
                _ => self.move_waiting(connection, &waiting, action, detail.as_ref()).await?,
            };
        }
        if !running.is_empty() && matches!(action, Action::Cancel) {
            did.changed += self.cancel_many_running(connection, &running, detail.as_ref()).await?;
        }
        Ok(did)
    }

    async fn retry_finished(
        &self,
        connection: &mut PgConnection,
        jobs: &[&JobSummary],
        detail: Option<&Json<Value>>,
    ) -> Result<Did, sqlx::Error> {
        let rows = query(self.schema.statements().retry_finished.clone())
            .bind(ids(jobs))
            .bind(MAX_CRASHES - 1)
            .bind(&self.actor)
            .bind(detail)
            .bind(self.schema.channel())
            .fetch_all(connection)
            .await?;
        let again = rows.iter().map(|row| row.try_get("again")).collect::<Result<Vec<bool>, _>>()?;
        let changed = again.iter().filter(|again| **again).count();
        Ok(Did { changed, keys_taken: again.len() - changed })
    }

    async fn end_waiting(
        &self,
        connection: &mut PgConnection,
        jobs: &[&JobSummary],
        (state, reason): (&str, &str),
        detail: Option<&Json<Value>>,
    ) -> Result<usize, sqlx::Error> {
        let ended: Vec<i64> = query_scalar(self.schema.statements().end_waiting.clone())
            .bind(ids(jobs))
            .bind(jobs.iter().map(|job| &*job.queue).collect::<Vec<_>>())
            .bind(jobs.iter().map(|job| job.priority).collect::<Vec<_>>())
            .bind(state)
            .bind(reason)
            .bind(&self.actor)
            .bind(detail)
            .fetch_all(connection)
            .await?;
        Ok(ended.len())
    }

    async fn move_waiting(
        &self,
        connection: &mut PgConnection,
        jobs: &[&JobSummary],
        action: Action,
        detail: Option<&Json<Value>>,
    ) -> Result<usize, sqlx::Error> {
        let (priority, at, after) = match action {
            Action::Reprioritise(priority) => (Some(priority), None, None),
            Action::Reschedule(When::At(time)) => (None, Some(Timestamp(time)), None),
            Action::Reschedule(When::After(delay)) => (None, None, Some(interval(delay))),
            _ => (None, None, Some(interval(Duration::ZERO))),
        };
        let moved = query(self.schema.statements().move_waiting.clone())
            .bind(ids(jobs))
            .bind(jobs.iter().map(|job| &*job.queue).collect::<Vec<_>>())
            .bind(jobs.iter().map(|job| job.priority).collect::<Vec<_>>())
            .bind(priority)
            .bind(at)
            .bind(after)
            .bind(&self.actor)
            .bind(action.word())
            .bind(detail)
            .bind(self.schema.channel())
            .fetch_all(connection)
            .await?;
        Ok(moved.len())
    }

    async fn cancel_many_running(
        &self,
        connection: &mut PgConnection,
        jobs: &[&JobSummary],
        detail: Option<&Json<Value>>,
    ) -> Result<usize, sqlx::Error> {
        let marked = query(self.schema.statements().cancel_many_running.clone())
            .bind(ids(jobs))
            .bind(self.schema.channel())
            .bind(&self.actor)
            .bind(detail)
            .fetch_all(connection)
            .await?;
        Ok(marked.len())
    }
}

/// How a person ends a job that waits.
const ENDS: [(&str, &str); 2] =
    [("cancelled", "cancelled while it waited"), ("discarded", "discarded by hand while it waited")];

fn ids(jobs: &[&JobSummary]) -> Vec<i64> {
    jobs.iter().map(|job| job.id.0).collect()
}
