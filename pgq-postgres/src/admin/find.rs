use std::time::{Duration, Instant, SystemTime};

use pgq_core::JobId;
use serde_json::{Map, Value};
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{PgConnection, Row, SqlStr, query};
use uuid::Uuid;

use super::{Admin, Filter, State};
use crate::time::{Timestamp, interval};
use crate::{Error, Schema};

/// How many rows one statement looks at, where a filter says something that no index leads to.
const LOOK_AT: i32 = 5_000;

/// After this time a look goes no further, and says so.
pub(super) const PATIENCE: Duration = Duration::from_millis(150);

/// A job without its payload.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct JobSummary {
    /// Its id.
    pub id: JobId,
    /// Where it is.
    pub state: State,
    /// Its queue.
    pub queue: String,
    /// The name of its type.
    pub kind: String,
    /// Lower runs first.
    pub priority: i16,
    /// Attempts spent.
    pub attempts: i16,
    /// Attempts it has in all.
    pub max_attempts: i16,
    /// How many runners died with it.
    pub crashes: i16,
    /// When it was enqueued.
    pub enqueued_at: SystemTime,
    /// When it is due, or was if it ever was scheduled.
    pub run_at: Option<SystemTime>,
    /// When it came to its end.
    pub finished_at: Option<SystemTime>,
    /// Which runner has it.
    pub runner: Option<Uuid>,
    /// Why it was discarded or cancelled.
    pub reason: Option<String>,
    /// The fields of its `index`.
    pub args: Option<Map<String, Value>>,
}

/// Some of the jobs that match a filter, those enqueued last first.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Found {
    /// They.
    pub jobs: Vec<JobSummary>,
    /// There are more: [`Filter::before`] this one.
    pub next: Option<JobId>,
    /// Whether all jobs were looked at that could have been among these. Filters by age, error or, for ready jobs, kind
    /// have no index; where few of very many jobs match, the look ends before it has seen them all.
    pub complete: bool,
}

/// Where jobs are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Ready,
    Running,
    Scheduled,
    Finished,
}

impl Place {
    /// In the order in which a bulk change visits them: a job that is promoted meanwhile is met later.
    pub(super) const ALL: [Self; 4] = [Self::Finished, Self::Scheduled, Self::Ready, Self::Running];

    fn statement(self, schema: &Schema) -> SqlStr {
        let statements = schema.statements();
        match self {
            Self::Ready => statements.find_ready.clone(),
            Self::Running => statements.find_running.clone(),
            Self::Scheduled => statements.find_scheduled.clone(),
            Self::Finished => statements.find_finished.clone(),
        }
    }

    pub(super) fn is_asked_for(self, filter: &Filter) -> bool {
        match self {
            Self::Ready => filter.wants(State::Ready),
            Self::Running => filter.wants(State::Running),
            Self::Scheduled => filter.wants(State::Scheduled) || filter.wants(State::Parked),
            Self::Finished => State::ALL.into_iter().any(|state| state.is_finished() && filter.wants(state)),
        }
    }

    /// What of the filter its statement must be told about states.
    fn states(self, filter: &Filter) -> Option<Vec<&'static str>> {
        let here = |state: &&State| match self {
            Self::Ready => **state == State::Ready,
            Self::Running => **state == State::Running,
            Self::Scheduled => matches!(state, State::Scheduled | State::Parked),
            Self::Finished => state.is_finished(),
        };
        let states: Vec<_> = filter.states.iter().filter(here).map(|state| state.as_str()).collect();
        (!filter.states.is_empty()).then_some(states)
    }
}

/// What one look at a place gave.
pub(super) struct Page {
    pub(super) jobs: Vec<JobSummary>,
    /// Where the next page begins; none if nothing is left.
    pub(super) next: Option<i64>,
}

impl Admin {
    /// Up to `limit` jobs that match, those enqueued last first.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn find(&self, filter: &Filter, limit: usize) -> Result<Found, Error> {
        let deadline = Instant::now() + PATIENCE;
        let before = filter.before.map_or(i64::MAX, |job| job.0);
        let mut tx = self.look().await?;
        let (mut jobs, mut unseen) = (Vec::new(), Vec::new());
        let mut more = false;
        for place in Place::ALL.into_iter().filter(|place| place.is_asked_for(filter)) {
            let page = page(&self.schema, &mut tx, place, filter, before, limit, Some(deadline)).await?;
            more |= page.jobs.len() >= limit;
            unseen.extend(page.next.filter(|_| page.jobs.len() < limit));
            jobs.extend(page.jobs);
        }
        tx.rollback().await?;
        jobs.sort_unstable_by_key(|job: &JobSummary| std::cmp::Reverse(job.id));
        more |= jobs.len() > limit;
        jobs.truncate(limit);
        // Jobs below the point that a look came to may be missing among those that other looks found.
        let last = jobs.last().map_or(i64::MIN, |job| job.id.0);
        let full = jobs.len() == limit;
        let complete = unseen.iter().all(|reached| full && *reached <= last);
        let next = if more { jobs.last().map(|job| job.id) } else { unseen.into_iter().max().map(JobId) };
        Ok(Found { jobs, next, complete })
    }
}

/// The next page of one place, of `limit` jobs unless nothing is left or the deadline has passed.
pub(super) async fn page(
    schema: &Schema,
    connection: &mut PgConnection,
    place: Place,
    filter: &Filter,
    before: i64,
    limit: usize,
    deadline: Option<Instant>,
) -> Result<Page, Error> {
    let mut jobs = Vec::new();
    let mut before = before;
    loop {
        let wanted = limit - jobs.len();
        let rows = look(schema, connection, place, filter, before, wanted).await?;
        let Some(first) = rows.first() else { return Ok(Page { jobs, next: None }) };
        let looked: i64 = first.try_get("looked")?;
        let reached: Option<i64> = first.try_get("reached")?;
        for row in &rows {
            if row.try_get::<Option<i64>, _>("id")?.is_some() {
                jobs.push(JobSummary::read(row)?);
            }
        }
        if jobs.len() >= limit {
            return Ok(Page { next: jobs.last().map(|job| job.id.0), jobs });
        }
        let Some(reached) = reached.filter(|_| looked >= i64::from(look_at(filter, place, wanted))) else {
            return Ok(Page { jobs, next: None });
        };
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Ok(Page { jobs, next: Some(reached) });
        }
        before = reached;
    }
}

/// As many as are wanted, where every job that is looked at matches.
fn look_at(filter: &Filter, place: Place, wanted: usize) -> i32 {
    let by_index = filter.older_than.is_none()
        && filter.newer_than.is_none()
        && filter.error.is_none()
        && (place != Place::Ready || (filter.kind.is_none() && filter.fields.is_empty()))
        && (place != Place::Scheduled || !filter.wants(State::Scheduled) || filter.wants(State::Parked));
    if by_index { i32::try_from(wanted).unwrap_or(i32::MAX) } else { LOOK_AT }
}

async fn look(
    schema: &Schema,
    connection: &mut PgConnection,
    place: Place,
    filter: &Filter,
    before: i64,
    wanted: usize,
) -> Result<Vec<PgRow>, sqlx::Error> {
    query(place.statement(schema))
        .bind(filter.queue.as_deref())
        .bind(filter.kind.as_deref())
        .bind(before)
        .bind(look_at(filter, place, wanted))
        .bind(i32::try_from(wanted).unwrap_or(i32::MAX))
        .bind(filter.older_than.map(interval))
        .bind(filter.newer_than.map(interval))
        .bind((!filter.fields.is_empty()).then_some(Json(&filter.fields)))
        .bind(filter.error.as_deref())
        .bind(place.states(filter))
        .fetch_all(connection)
        .await
}

impl JobSummary {
    pub(super) fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        let state: String = row.try_get("state")?;
        let time = |column| row.try_get::<Option<Timestamp>, _>(column).map(|time| time.map(|time| time.0));
        Ok(Self {
            id: JobId(row.try_get("id")?),
            state: state
                .parse()
                .map_err(|error| sqlx::Error::Decode(Box::<super::UnknownState>::new(error)))?,
            queue: row.try_get("queue")?,
            kind: row.try_get("kind")?,
            priority: row.try_get("priority")?,
            attempts: row.try_get("attempts")?,
            max_attempts: row.try_get("max_attempts")?,
            crashes: row.try_get("crashes")?,
            enqueued_at: row.try_get::<Timestamp, _>("enqueued_at")?.0,
            run_at: time("run_at")?,
            finished_at: time("finished_at")?,
            runner: row.try_get("runner_id")?,
            reason: row.try_get("reason")?,
            args: row.try_get::<Option<Json<_>>, _>("args")?.map(|Json(args)| args),
        })
    }
}
