//! Schedules: jobs that come by themselves. Here people change them; `runner/schedule.rs` fires them.

mod change;
mod info;
mod schedule;

use std::time::SystemTime;

use pgq_core::ScheduleName;
use sqlx::{PgPool, query, query_as, query_scalar};

pub use change::ScheduleChange;
pub use info::ScheduleInfo;
pub(crate) use info::{missed, missed_columns};
#[doc(inline)]
pub use pgq_cron::{Cron, CronError, Ticks};
pub(crate) use schedule::Definition;
pub use schedule::Schedule;

use crate::time::{Timestamp, interval};
use crate::{Error, Schema};

/// The most schedules that are listed.
const LISTED: i64 = 10_000;

/// How often a change is tried again that another one overtook.
const TRIES: usize = 20;

/// Creates, changes, pauses and deletes schedules. Works from any process; runners notice at once. Each change leaves a row
/// in the audit, [`Admin::audit`](crate::admin::Admin::audit).
///
/// ```no_run
/// # use pgq_postgres::{Context, Job, JobResult, Missed, Overlap, Perform, Schedule, Schedules};
/// # #[derive(Job)] struct Report { team: i64 }
/// # impl Perform for Report { async fn perform(&self, _: &Context) -> JobResult { Ok(()) } }
/// # async fn f(pool: sqlx::PgPool) -> Result<(), pgq_postgres::Error> {
/// let schedules = Schedules::new(&pool);
/// let weekly = Schedule::new("report-7", "0 9 * * mon", Report { team: 7 })?.timezone("Europe/Rome")?;
/// schedules.put(weekly.missed(Missed::Once).overlap(Overlap::Skip)).await?;
/// println!("{:?}", schedules.next("report-7", 5).await?);
/// schedules.pause("report-7").await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Schedules {
    pool: PgPool,
    schema: Schema,
    actor: Option<String>,
}

impl Schedules {
    /// The schedules of the schema `pgq`, through that pool.
    pub fn new(pool: &PgPool) -> Self {
        Self { pool: pool.clone(), schema: Schema::default(), actor: None }
    }

    /// Those of another schema.
    #[must_use]
    pub fn schema(self, schema: &Schema) -> Self {
        Self { schema: schema.clone(), ..self }
    }

    /// Who asks for the changes, as it shall stand in the audit beside the database's role.
    #[must_use]
    pub fn actor(self, actor: impl Into<String>) -> Self {
        Self { actor: Some(actor.into()), ..self }
    }

    /// Makes the schedule, or replaces the one of that name; a pause stays. A tick that is due stays due, unless cron
    /// expression or time zone have changed: so a program may put its schedules at every start.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn put(&self, schedule: Schedule) -> Result<(), Error> {
        let now = self.now().await?;
        let definition = schedule.definition();
        definition.put(&self.schema, None, now, self.actor.as_deref()).execute(&self.pool).await?;
        Ok(())
    }

    /// Changes some of a schedule, and leaves the rest as it is.
    ///
    /// # Errors
    /// No such schedule, a failure of the database, or a schedule that others change at every one of many tries.
    pub async fn change(&self, name: &str, change: ScheduleChange) -> Result<(), Error> {
        for _ in 0..TRIES {
            let old = self.find(name).await?;
            let next = change.next_tick(&old)?;
            let (missed, most) = change.missed.map(missed_columns).unzip();
            let changed = query(self.schema.statements().change_schedule.clone())
                .bind(name)
                .bind(old.revision)
                .bind(&change.cron)
                .bind(&change.timezone)
                .bind(missed)
                .bind(most)
                .bind(change.overlap.map(|overlap| overlap.as_str()))
                .bind(change.jitter.map(interval))
                .bind(next.map(Timestamp))
                .bind(self.schema.channel())
                .bind(&self.actor)
                .fetch_optional(&self.pool)
                .await?;
            if changed.is_some() {
                return Ok(());
            }
        }
        Err(overtaken(name))
    }

    /// The schedule does not tick until it is resumed. Jobs that it has made stay.
    ///
    /// # Errors
    /// No such schedule, or a failure of the database.
    pub async fn pause(&self, name: &str) -> Result<(), Error> {
        let paused = query(self.schema.statements().pause_schedule.clone()).bind(name).bind(&self.actor);
        paused.fetch_optional(&self.pool).await?.map(drop).ok_or_else(|| Error::NoSchedule(name.to_owned()))
    }

    /// Ends a pause. What would have ticked meanwhile does not; nothing happens where there is no pause.
    ///
    /// # Errors
    /// No such schedule, a failure of the database, or a schedule that others change at every one of many tries.
    pub async fn resume(&self, name: &str) -> Result<(), Error> {
        for _ in 0..TRIES {
            let old = self.find(name).await?;
            if old.paused_at.is_none() {
                return Ok(());
            }
            let next = Cron::parse(&old.cron, &old.timezone)?.next_after(old.now);
            let resumed = query(self.schema.statements().resume_schedule.clone())
                .bind(name)
                .bind(old.revision)
                .bind(next.map(Timestamp))
                .bind(self.schema.channel())
                .bind(&self.actor)
                .fetch_optional(&self.pool)
                .await?;
            if resumed.is_some() {
                return Ok(());
            }
        }
        Err(overtaken(name))
    }

    /// Deletes a schedule and says whether there was one. Jobs that it has made stay. One that a program declares by its
    /// attribute comes back when that program starts: pause it, or remove the attribute.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn delete(&self, name: &str) -> Result<bool, Error> {
        let deleted = query(self.schema.statements().delete_schedule.clone()).bind(name).bind(&self.actor);
        Ok(deleted.fetch_optional(&self.pool).await?.is_some())
    }

    /// All schedules, by name; the first 10,000 of them.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn list(&self) -> Result<Vec<ScheduleInfo>, Error> {
        let list = query_as(self.schema.statements().schedules.clone()).bind(LISTED).bind(None::<&str>);
        Ok(list.fetch_all(&self.pool).await?)
    }

    /// One schedule.
    ///
    /// # Errors
    /// No such schedule, or a failure of the database.
    pub async fn find(&self, name: &str) -> Result<ScheduleInfo, Error> {
        ScheduleName::new(name)?;
        let find = query_as(self.schema.statements().schedules.clone()).bind(1_i64).bind(name);
        find.fetch_optional(&self.pool).await?.ok_or_else(|| Error::NoSchedule(name.to_owned()))
    }

    /// The next `ticks` ticks of a schedule, counted from the database's now; what they would be, if it is paused.
    ///
    /// # Errors
    /// No such schedule, or a failure of the database.
    pub async fn next(&self, name: &str, ticks: usize) -> Result<Vec<SystemTime>, Error> {
        self.find(name).await?.next(ticks)
    }

    async fn now(&self) -> Result<SystemTime, sqlx::Error> {
        let now: Timestamp = query_scalar(self.schema.statements().now.clone()).fetch_one(&self.pool).await?;
        Ok(now.0)
    }
}

fn overtaken(name: &str) -> Error {
    Error::Setting(format!("others changed the schedule {name:?} at every one of {TRIES} tries: try again"))
}
