use std::time::{Duration, SystemTime};

use pgq_core::{Missed, Overlap};
use pgq_cron::Cron;

use super::ScheduleInfo;
use crate::Error;

/// What [`Schedules::change`](super::Schedules::change) changes. To give a schedule another job, put it anew.
///
/// ```
/// # use pgq_postgres::{Missed, ScheduleChange};
/// let later = ScheduleChange::new().cron("0 11 * * mon-fri").missed(Missed::Skip);
/// # let _ = later;
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "nothing changes before Schedules::change"]
pub struct ScheduleChange {
    pub(super) cron: Option<String>,
    pub(super) timezone: Option<String>,
    pub(super) missed: Option<Missed>,
    pub(super) overlap: Option<Overlap>,
    pub(super) jitter: Option<Duration>,
}

impl ScheduleChange {
    /// No change.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another cron expression. Ticks of the old one that are due no longer are.
    pub fn cron(self, cron: impl Into<String>) -> Self {
        Self { cron: Some(cron.into()), ..self }
    }

    /// Another time zone. Ticks of the old one that are due no longer are.
    pub fn timezone(self, timezone: impl Into<String>) -> Self {
        Self { timezone: Some(timezone.into()), ..self }
    }

    /// Another policy of missed ticks.
    pub fn missed(self, missed: Missed) -> Self {
        Self { missed: Some(missed), ..self }
    }

    /// Another policy of overlaps.
    pub fn overlap(self, overlap: Overlap) -> Self {
        Self { overlap: Some(overlap), ..self }
    }

    /// Another jitter.
    pub fn jitter(self, jitter: Duration) -> Self {
        Self { jitter: Some(jitter), ..self }
    }

    /// The next tick, if it becomes another.
    pub(super) fn next_tick(&self, old: &ScheduleInfo) -> Result<Option<SystemTime>, Error> {
        let cron = self.cron.as_ref().unwrap_or(&old.cron);
        let timezone = self.timezone.as_ref().unwrap_or(&old.timezone);
        let next = Cron::parse(cron, timezone)?.next_after(old.now);
        Ok(next.filter(|_| *cron != old.cron || *timezone != old.timezone))
    }
}
