//! Fires schedules. Every runner does, for all: which one was first, the database decides in one statement.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pgq_core::Missed;
use pgq_cron::Cron;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row, query_as, query_scalar};
use tokio::time::{Instant, sleep};
use tracing::{debug, error};

use super::declare::declare;
use super::handle::add;
use super::shared::Shared;
use crate::connection::{Backoff, Session, limited};
use crate::enqueue::INLINE_LIMIT;
use crate::schedules::missed;
use crate::time::Timestamp;

/// How many schedules one look fires.
const BATCH: i64 = 100;

/// How many poll intervals pass between two looks, at most, where notifications tell of changes.
const LOOK_AFTER_POLLS: u32 = 10;

/// Runners that wake for one tick do so spread over this time.
const SPREAD: Duration = Duration::from_millis(20);

/// How long to wait while others fire what is due.
const CONTENTION: Duration = Duration::from_millis(20);

/// How long a schedule that cannot be fired is left out.
const LEFT_OUT: Duration = Duration::from_secs(10);

/// Declares what this program's types declare, and fires what is due until the runner stops.
pub(crate) async fn schedule(shared: Arc<Shared>) {
    let mut session = shared.session("schedule");
    let mut scheduler = Scheduler { shared: shared.clone(), declared: false, left_out: Vec::new() };
    let stop = shared.handle.stop.clone();
    let mut backoff = Backoff::default();
    while !stop.is_cancelled() {
        // Not dropped half-way by a stop: what the database has fired would not be counted.
        let look =
            tokio::select! { look = scheduler.look(&mut session) => look, () = shared.hurry() => break };
        let wait = match look {
            Ok(wait) => {
                backoff.reset();
                wait
            }
            Err(error) => {
                shared.survived("schedule", &error);
                tokio::select! { () = backoff.wait() => continue, () = stop.cancelled() => break }
            }
        };
        tokio::select! {
            () = sleep(wait) => {}
            () = shared.schedules.notified() => {}
            () = stop.cancelled() => break,
        }
    }
    session.close().await;
}

/// A schedule that ticks next, or did.
#[derive(Debug)]
struct Coming {
    name: String,
    revision: i32,
    cron: String,
    timezone: String,
    missed: Missed,
    kind: String,
    queue: String,
    next_at: Timestamp,
    now: Timestamp,
}

impl FromRow<'_, PgRow> for Coming {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            name: row.try_get("name")?,
            revision: row.try_get("revision")?,
            cron: row.try_get("cron")?,
            timezone: row.try_get("timezone")?,
            missed: missed(row.try_get("missed")?, row.try_get("missed_most")?),
            kind: row.try_get("kind")?,
            queue: row.try_get("queue")?,
            next_at: row.try_get("next_at")?,
            now: row.try_get("now")?,
        })
    }
}

struct Scheduler {
    shared: Arc<Shared>,
    declared: bool,
    /// Schedules that could not be fired, until then.
    left_out: Vec<(String, Instant)>,
}

impl Scheduler {
    /// Fires what is due, and says how long to wait.
    async fn look(&mut self, session: &mut Session) -> Result<Duration, sqlx::Error> {
        if !self.declared {
            declare(&self.shared, session).await?;
            self.declared = true;
        }
        self.left_out.retain(|(_, until)| *until > Instant::now());
        let left_out: Vec<&str> = self.left_out.iter().map(|(name, _)| name.as_str()).collect();
        let mut lent = session.lend().await?;
        let coming = query_as(self.shared.statements().coming_schedules.clone())
            .persistent(self.shared.keeps_statements())
            .bind(BATCH)
            .bind(left_out);
        let coming: Vec<Coming> = limited(coming.fetch_all(&mut *lent)).await?;
        lent.keep().await?;
        let Some(first) = coming.first() else { return Ok(self.longest()) };
        if let Some(ahead) = first.ahead() {
            return Ok(ahead.min(self.longest()) + SPREAD.mul_f64(fastrand::f64()));
        }
        let mut fired = false;
        for due in coming.iter().take_while(|schedule| schedule.ahead().is_none()) {
            if self.shared.stopping() {
                break;
            }
            fired |= self.fire(session, due).await?;
        }
        // What was fired, here or by another runner just now, ticks again, perhaps before all others.
        Ok(if fired { Duration::ZERO } else { CONTENTION })
    }

    /// Whether this runner fired it. One that cannot be fired does not hold up the others.
    async fn fire(&mut self, session: &mut Session, schedule: &Coming) -> Result<bool, sqlx::Error> {
        let problem = match Cron::parse(&schedule.cron, &schedule.timezone) {
            Ok(cron) => match self.try_fire(session, schedule, &cron).await {
                Err(error) if error.as_database_error().is_some() => error.to_string(),
                result => return result,
            },
            Err(error) => error.to_string(),
        };
        add(&self.shared.counts().database_errors, 1);
        self.shared.meter.database_failed();
        let (runner, name) = (&self.shared.name, &schedule.name);
        error!(%runner, schedule = %name, error = %problem, "a schedule cannot be fired; trying again in {LEFT_OUT:?}");
        self.left_out.push((schedule.name.clone(), Instant::now() + LEFT_OUT));
        Ok(false)
    }

    async fn try_fire(
        &self,
        session: &mut Session,
        schedule: &Coming,
        cron: &Cron,
    ) -> Result<bool, sqlx::Error> {
        let (ticks, following) = schedule.ticks(cron);
        let ticks: Vec<_> = ticks.into_iter().map(Timestamp).collect();
        let mut lent = session.lend().await?;
        let fire = query_scalar(self.shared.statements().fire_schedule.clone())
            .persistent(self.shared.keeps_statements())
            .bind(&schedule.name)
            .bind(schedule.revision)
            .bind(schedule.next_at)
            .bind(&ticks)
            .bind(following.map(Timestamp))
            .bind(INLINE_LIMIT)
            .bind(self.shared.settings.schema.channel());
        let jobs: Option<i32> = limited(fire.fetch_one(&mut *lent)).await?;
        lent.keep().await?;
        let Some(jobs) = jobs.and_then(|jobs| usize::try_from(jobs).ok()) else { return Ok(false) };
        debug!(schedule = schedule.name, jobs, "fired");
        if jobs > 0 {
            add(&self.shared.counts().fired, jobs);
            self.shared.meter.fired(&schedule.queue, &schedule.kind, jobs);
        }
        // Also where there is no new job: a unique one that waits may have been moved to now.
        self.shared.wake.notify_one();
        Ok(true)
    }

    /// How long a change of which no notification tells may stay unseen.
    fn longest(&self) -> Duration {
        let polls = if self.shared.settings.listen { LOOK_AFTER_POLLS } else { 1 };
        self.shared.settings.poll_interval.saturating_mul(polls)
    }
}

impl Coming {
    /// How long it is until its tick; none if that is due.
    fn ahead(&self) -> Option<Duration> {
        self.next_at.0.duration_since(self.now.0).ok().filter(|ahead| !ahead.is_zero())
    }

    /// Which ticks run now, and the one after. The one that the database waits for is due whatever this program's time zones
    /// say of it: another one's were others.
    fn ticks(&self, cron: &Cron) -> (Vec<SystemTime>, Option<SystemTime>) {
        let (first, now) = (self.next_at.0, self.now.0);
        let due = cron.past(now).take_while(|tick| *tick > first).chain([first]);
        (self.missed.to_run(due, now), cron.next_after(now))
    }
}
