use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use pgq_core::{Missed, Overlap, ScheduleName};
use pgq_cron::Cron;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::types::Json;
use sqlx::{Postgres, query};

use super::missed_columns;
use crate::enqueue::{Enqueueable, Prepared};
use crate::time::{Timestamp, interval};
use crate::{Error, Schema};

/// The longest jitter: a year.
const LONGEST_JITTER: Duration = Duration::from_secs(365 * 86_400);

/// A job that comes by itself, and when. See [`Schedules`](super::Schedules).
#[derive(Debug, Clone)]
#[must_use = "a schedule exists only after Schedules::put"]
pub struct Schedule(Definition);

impl Schedule {
    /// A schedule in UTC with the default policies: [`Missed::Once`], [`Overlap::Allow`], no jitter. The job may have settings of its
    /// own, but no time.
    ///
    /// # Errors
    /// A bad name, a cron expression that is none or that never comes, and what enqueueing the job refuses.
    pub fn new(name: &str, cron: &str, job: impl Enqueueable) -> Result<Self, Error> {
        let mut job = job.into_prepared()?;
        if !job.is_now() {
            return Err(Error::Setting(format!(
                "the job of the schedule {name:?} has a time of its own: the schedule says when, so leave out .after(..) and \
                 .at(..)"
            )));
        }
        // Its jobs are no part of what happened to make the schedule.
        job.options = job.options.and_then(|Json(mut options)| {
            (options.trace, options.trace_state) = (None, None);
            (!options.is_empty()).then_some(Json(options))
        });
        Ok(Self(Definition {
            name: ScheduleName::new(name)?.as_str().to_owned().into(),
            cron: Cron::parse(cron, "UTC")?,
            missed: Missed::DEFAULT,
            overlap: Overlap::DEFAULT,
            jitter: Duration::ZERO,
            job,
        }))
    }

    /// Follows the clocks of that time zone, as in `Europe/Rome`.
    ///
    /// # Errors
    /// There is no such time zone.
    pub fn timezone(mut self, name: &str) -> Result<Self, Error> {
        self.0.cron = Cron::parse(self.0.cron.text(), name)?;
        Ok(self)
    }

    /// What becomes of missed ticks.
    pub fn missed(mut self, missed: Missed) -> Self {
        self.0.missed = missed;
        self
    }

    /// What becomes of a tick that finds the job before it unfinished.
    pub fn overlap(mut self, overlap: Overlap) -> Self {
        self.0.overlap = overlap;
        self
    }

    /// Lets each job run up to that much after its tick, at random; a year at most.
    pub fn jitter(mut self, jitter: Duration) -> Self {
        self.0.jitter = jitter.min(LONGEST_JITTER);
        self
    }

    pub(super) fn definition(self) -> Definition {
        self.0
    }
}

/// A schedule that is checked, made by a person or declared by a program.
#[derive(Debug, Clone)]
pub(crate) struct Definition {
    pub(crate) name: Cow<'static, str>,
    pub(crate) cron: Cron,
    pub(crate) missed: Missed,
    pub(crate) overlap: Overlap,
    pub(crate) jitter: Duration,
    pub(crate) job: Prepared,
}

impl Definition {
    /// What writes it, and returns no row if nothing changes. `declared` is the hash of a program's declaration.
    pub(crate) fn put<'q>(
        &'q self,
        schema: &'q Schema,
        declared: Option<&'q [u8]>,
        now: SystemTime,
        actor: Option<&'q str>,
    ) -> Query<'q, Postgres, PgArguments> {
        let (missed, most) = missed_columns(self.missed);
        let (job, unique) = (&self.job, self.job.unique());
        query(schema.statements().put_schedule.clone())
            .bind(&*self.name)
            .bind(self.cron.text())
            .bind(self.cron.timezone())
            .bind(missed)
            .bind(most)
            .bind(self.overlap.as_str())
            .bind(interval(self.jitter))
            .bind(job.kind)
            .bind(&*job.queue)
            .bind(job.priority)
            .bind(job.version)
            .bind(job.shape)
            .bind(job.max_attempts)
            .bind(&job.body)
            .bind(&job.options)
            .bind(unique.map(|(_, key)| key.as_bytes().as_slice()))
            .bind(unique.map(|(unique, _)| unique.held_while().as_str()))
            .bind(unique.and_then(|(unique, _)| unique.longest()).map(interval))
            .bind(unique.map(|(unique, _)| unique.conflict().as_str()))
            .bind(declared)
            .bind(self.cron.next_after(now).map(Timestamp))
            .bind(schema.channel())
            .bind(actor)
    }
}
