use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use crate::{Job, PayloadError, Unique, UniqueKey, encode};

/// How late a tick may be and still be on time. What is later was missed.
pub const ON_TIME: Duration = Duration::from_secs(60);

/// The most missed ticks that a schedule makes up for at a time.
pub const MAX_MISSED: u16 = 1000;

/// What becomes of the ticks at which no runner was there. Ticks of a paused schedule are not missed: they are not meant to
/// run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missed {
    /// Nothing. A tick to which a runner comes within [`ON_TIME`] runs.
    Skip,
    /// One job for all of them.
    Once,
    /// A job for each, but of that many at most, the last ones; up to [`MAX_MISSED`].
    All(u16),
}

/// What becomes of a tick that finds the schedule's job before it unfinished: waiting, running or to be retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overlap {
    /// It has its job, too.
    Allow,
    /// It has none.
    Skip,
    /// It has its job, and the one before is cancelled.
    Replace,
}

impl Missed {
    /// The policy of a schedule that names none: once.
    pub const DEFAULT: Self = Self::Once;

    /// Which of the ticks that are due run, the first one first. They are given the last one first.
    pub fn to_run(self, due: impl IntoIterator<Item = SystemTime>, now: SystemTime) -> Vec<SystemTime> {
        let mut due = due.into_iter();
        match self {
            Self::Skip => {
                let on_time = |tick: &SystemTime| *tick + ON_TIME >= now;
                due.next().filter(on_time).into_iter().collect()
            }
            Self::Once => due.next().into_iter().collect(),
            Self::All(most) => {
                let mut ticks: Vec<_> = due.take(usize::from(most.min(MAX_MISSED))).collect();
                ticks.reverse();
                ticks
            }
        }
    }

    /// Its name in the database, and how many it makes up for.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Once => "once",
            Self::All(_) => "all",
        }
    }
}

impl Overlap {
    /// The policy of a schedule that names none: allow.
    pub const DEFAULT: Self = Self::Allow;

    /// Its name in attributes and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Skip => "skip",
            Self::Replace => "replace",
        }
    }
}

/// The schedule that a type declares by its attribute `cron`.
#[derive(Debug, Clone, Copy)]
#[doc(hidden)]
pub struct Declared {
    pub cron: &'static str,
    pub timezone: &'static str,
    pub missed: Missed,
    pub overlap: Overlap,
    pub jitter: Duration,
    /// Its job, made anew at every start of a runner.
    pub job: fn() -> Result<DeclaredJob, PayloadError>,
}

/// The job of a declared schedule that names no payload.
#[diagnostic::on_unimplemented(
    message = "the schedule of `{Self}` has no payload",
    label = "which `{Self}` does it enqueue?",
    note = "derive `Default` for `{Self}`, or write `payload = {Self} {{ .. }}` beside `cron`"
)]
#[doc(hidden)]
pub trait DefaultPayload {
    fn default_payload() -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Default> DefaultPayload for T {
    fn default_payload() -> Self {
        Self::default()
    }
}

/// The job of a declared schedule, encoded.
#[derive(Debug, Clone)]
#[doc(hidden)]
pub struct DeclaredJob {
    pub kind: &'static str,
    pub queue: &'static str,
    pub priority: i16,
    pub version: i16,
    pub shape: i32,
    pub max_attempts: i16,
    pub body: Vec<u8>,
    pub args: Option<Map<String, Value>>,
    pub unique: Option<(Unique, UniqueKey)>,
}

impl DeclaredJob {
    /// Encodes a job as its type enqueues it.
    pub fn of<J: Job>(job: &J) -> Result<Self, PayloadError> {
        Ok(Self {
            kind: J::KIND,
            queue: J::QUEUE,
            priority: J::PRIORITY,
            version: J::VERSION,
            shape: J::SHAPE,
            max_attempts: J::MAX_ATTEMPTS,
            body: encode(job)?,
            args: job.__pgq_index()?,
            unique: J::UNIQUE.zip(job.__pgq_unique_key()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(minutes: &[u64]) -> Vec<SystemTime> {
        minutes.iter().map(|minute| SystemTime::UNIX_EPOCH + Duration::from_secs(60 * minute)).collect()
    }

    /// Five ticks, ten minutes apart, the last one at minute 50.
    fn to_run(missed: Missed, seconds_after: u64) -> Vec<SystemTime> {
        let now = minutes(&[50])[0] + Duration::from_secs(seconds_after);
        missed.to_run(minutes(&[50, 40, 30, 20, 10]), now)
    }

    #[test]
    fn each_policy_runs_its_ticks_in_their_order() {
        let cases = [
            (Missed::Skip, 0, minutes(&[50])),
            (Missed::Skip, 60, minutes(&[50])),
            (Missed::Skip, 61, vec![]),
            (Missed::Once, 0, minutes(&[50])),
            (Missed::Once, 599, minutes(&[50])),
            (Missed::All(0), 0, vec![]),
            (Missed::All(1), 599, minutes(&[50])),
            (Missed::All(3), 599, minutes(&[30, 40, 50])),
            (Missed::All(9), 599, minutes(&[10, 20, 30, 40, 50])),
        ];
        for (missed, seconds_after, expected) in cases {
            assert_eq!(to_run(missed, seconds_after), expected, "{missed:?} after {seconds_after} s");
        }
        assert_eq!(Missed::Once.to_run([], SystemTime::UNIX_EPOCH), []);
    }

    #[test]
    fn no_schedule_makes_up_for_more_than_the_limit() {
        let ticks = (0..).map(|n| SystemTime::UNIX_EPOCH - Duration::from_secs(n));
        let ran = Missed::All(u16::MAX).to_run(ticks, SystemTime::UNIX_EPOCH);
        assert_eq!((ran.len(), ran.last()), (usize::from(MAX_MISSED), Some(&SystemTime::UNIX_EPOCH)));
    }
}
