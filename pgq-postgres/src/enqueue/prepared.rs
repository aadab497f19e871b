use std::borrow::Cow;
use std::time::{Duration, SystemTime};

#[cfg(feature = "cron")]
use pgq_core::__private::DeclaredJob;
use pgq_core::{JobId, JobOptions, OnConflict, Unique, UniqueKey};
use sqlx::postgres::PgArguments;
use sqlx::postgres::types::PgInterval;
use sqlx::query::Query;
use sqlx::types::Json;
use sqlx::{PgExecutor, Postgres, Row, SqlStr, query, query_scalar};

use super::Enqueued;
use crate::meter::EnqueueMeter;
use crate::time::{Timestamp, interval};
use crate::{Error, Schema};

/// Payloads over this many bytes have a row of their own instead of being copied into a lease. Measured at
/// 8 KB: 22,000 jobs a second copied, 76,000 left in place.
pub(crate) const INLINE_BYTES: usize = 1024;

/// [`INLINE_BYTES`] as the statements take it.
pub(crate) const INLINE_LIMIT: i32 = INLINE_BYTES as i32;

/// A job that is checked and encoded, and only has to be written. Made by [`prepare`](super::Enqueue::prepare), so that
/// jobs of several types fit into one list for [`enqueue_all`](super::enqueue_all).
#[derive(Debug, Clone)]
#[must_use = "a job exists only after it was enqueued"]
pub struct Prepared {
    pub(super) schema: Schema,
    pub(crate) queue: Cow<'static, str>,
    pub(crate) kind: &'static str,
    pub(crate) priority: i16,
    pub(crate) version: i16,
    pub(crate) shape: i32,
    pub(crate) max_attempts: i16,
    pub(crate) body: Vec<u8>,
    pub(crate) options: Option<Json<JobOptions>>,
    pub(super) when: When,
    pub(super) unique: Option<(Unique, UniqueKey)>,
}

/// When a job should run.
#[derive(Debug, Clone, Copy)]
pub(super) enum When {
    Now,
    After(Duration),
    At(SystemTime),
}

impl When {
    /// As the statements take it: a time, or a delay.
    fn columns(self) -> (Option<Timestamp>, Option<PgInterval>) {
        match self {
            Self::Now => (None, None),
            Self::After(delay) => (None, Some(interval(delay))),
            Self::At(time) => (Some(Timestamp(time)), None),
        }
    }
}

impl Prepared {
    /// The job of a declared schedule.
    #[cfg(feature = "cron")]
    pub(crate) fn declared(schema: &Schema, job: DeclaredJob) -> Self {
        let held_while = job.unique.map(|(unique, _)| unique.held_while());
        let mut options = JobOptions::default();
        (options.args, options.held_while) = (job.args, held_while);
        Self {
            schema: schema.clone(),
            queue: job.queue.into(),
            kind: job.kind,
            priority: job.priority,
            version: job.version,
            shape: job.shape,
            max_attempts: job.max_attempts,
            body: job.body,
            options: (!options.is_empty()).then_some(Json(options)),
            when: When::Now,
            unique: job.unique,
        }
    }

    /// Makes the row; see [`Enqueue::enqueue`](super::Enqueue::enqueue).
    ///
    /// # Errors
    /// A failure of the database, or a unique job that exists and whose policy makes that an error.
    pub async fn enqueue<'c>(self, executor: impl PgExecutor<'c> + 'c) -> Result<Enqueued, Error> {
        let mut tally = EnqueueMeter::default();
        tally.add(&self.queue, self.kind);
        let enqueued = self.write(executor).await?;
        if enqueued.is_new() {
            tally.tell();
        }
        Ok(enqueued)
    }

    async fn write<'c>(self, executor: impl PgExecutor<'c> + 'c) -> Result<Enqueued, Error> {
        if self.unique.is_some() {
            let answers = enqueue_unique(&self.schema, &[&self], executor).await?;
            return answers.into_iter().next().unwrap_or(Err(Error::Database(sqlx::Error::RowNotFound)));
        }
        let id = if self.body.len() <= INLINE_BYTES && matches!(self.when, When::Now) {
            self.enqueue_now(executor).await?
        } else {
            enqueue_many(&self.schema, &[&self], executor)
                .await?
                .first()
                .copied()
                .ok_or(sqlx::Error::RowNotFound)?
        };
        Ok(Enqueued::New(JobId(id)))
    }

    async fn enqueue_now<'c>(self, executor: impl PgExecutor<'c> + 'c) -> Result<i64, sqlx::Error> {
        query_scalar(self.schema.statements().enqueue.clone())
            .bind(&*self.queue)
            .bind(self.kind)
            .bind(self.priority)
            .bind(self.version)
            .bind(self.shape)
            .bind(self.max_attempts)
            .bind(self.body)
            .bind(self.options)
            .bind(self.schema.channel())
            .fetch_one(executor)
            .await
    }

    /// Whether it has no time of its own.
    #[cfg(feature = "cron")]
    pub(crate) fn is_now(&self) -> bool {
        matches!(self.when, When::Now)
    }

    /// What makes it unique, if it is.
    #[cfg(feature = "cron")]
    pub(crate) fn unique(&self) -> Option<&(Unique, UniqueKey)> {
        self.unique.as_ref()
    }

    /// What the answer of the database means for this job.
    fn answer(&self, answer: Enqueued) -> Result<Enqueued, Error> {
        match (answer, &self.unique) {
            (Enqueued::Existing(job), Some((unique, _))) if unique.conflict() == OnConflict::Error => {
                Err(Error::Duplicate { kind: self.kind, job })
            }
            _ => Ok(answer),
        }
    }
}

/// Writes jobs that are not unique with one statement, and returns their ids in order.
pub(super) async fn enqueue_many<'c>(
    schema: &Schema,
    jobs: &[&Prepared],
    executor: impl PgExecutor<'c> + 'c,
) -> Result<Vec<i64>, sqlx::Error> {
    let row = columns(&schema.statements().enqueue_many, jobs)
        .bind(INLINE_LIMIT)
        .bind(schema.channel())
        .fetch_one(executor)
        .await?;
    row.try_get(0)
}

/// A statement with what it takes of all jobs first.
fn columns(statement: &SqlStr, jobs: &[&Prepared]) -> Query<'static, Postgres, PgArguments> {
    let column = |of: fn(&Prepared) -> &str| jobs.iter().map(|job| of(job)).collect::<Vec<_>>();
    let numbers = |of: fn(&Prepared) -> i16| jobs.iter().map(|job| of(job)).collect::<Vec<_>>();
    let (ats, afters): (Vec<_>, Vec<_>) = jobs.iter().map(|job| job.when.columns()).unzip();
    query(statement.clone())
        .bind(column(|job| &job.queue))
        .bind(column(|job| job.kind))
        .bind(numbers(|job| job.priority))
        .bind(numbers(|job| job.version))
        .bind(jobs.iter().map(|job| job.shape).collect::<Vec<_>>())
        .bind(numbers(|job| job.max_attempts))
        .bind(jobs.iter().map(|job| job.body.as_slice()).collect::<Vec<_>>())
        .bind(jobs.iter().map(|job| job.options.as_ref()).collect::<Vec<_>>())
        .bind(ats)
        .bind(afters)
}

/// Writes unique jobs with one statement, and says what became of each.
pub(super) async fn enqueue_unique<'c>(
    schema: &Schema,
    jobs: &[&Prepared],
    executor: impl PgExecutor<'c> + 'c,
) -> Result<Vec<Result<Enqueued, Error>>, Error> {
    let uniques: Vec<_> = jobs.iter().filter_map(|job| job.unique).collect();
    let row = columns(&schema.statements().enqueue_unique, jobs)
        .bind(uniques.iter().map(|(_, key)| key.as_bytes().as_slice()).collect::<Vec<_>>())
        .bind(uniques.iter().map(|(unique, _)| unique.held_while().as_str()).collect::<Vec<_>>())
        .bind(uniques.iter().map(|(unique, _)| unique.longest().map(interval)).collect::<Vec<_>>())
        .bind(uniques.iter().map(|(unique, _)| unique.conflict().as_str()).collect::<Vec<_>>())
        .bind(INLINE_LIMIT)
        .bind(schema.channel())
        .fetch_one(executor)
        .await?;
    let (ids, outcomes): (Vec<i64>, Vec<String>) = (row.try_get(0)?, row.try_get(1)?);
    let answers = ids.into_iter().zip(outcomes).zip(jobs);
    Ok(answers.map(|((id, outcome), job)| job.answer(Enqueued::read(id, &outcome))).collect())
}
