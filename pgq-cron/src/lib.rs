//! When the schedules of pgq tick: a cron expression in a time zone, and what daylight saving does to it.
//!
//! A crate of its own, so that the derive can check schedules when it runs and the runner can keep them later, while a
//! crate without schedules compiles neither a parser nor the time zones. Pure functions of the times they are given: no
//! clock is read.

mod error;
mod text;
mod ticks;
mod zone;

use std::fmt;

pub use error::CronError;
pub use ticks::Ticks;

/// The longest cron expression, in bytes.
pub const MAX_CRON_BYTES: usize = 200;

/// A cron expression in a time zone: some of the seconds there are. It always has a next one.
///
/// A time of day that daylight saving skips becomes the end of the gap; one that it repeats counts once, the first time.
///
/// ```
/// # use pgq_cron::Cron;
/// use std::time::{Duration, SystemTime};
///
/// let every_noon = Cron::parse("0 12 * * *", "Europe/Rome")?;
/// let first = every_noon.next_after(SystemTime::UNIX_EPOCH).unwrap();
/// assert_eq!(first, SystemTime::UNIX_EPOCH + Duration::from_secs(11 * 3600));
///
/// let error = Cron::parse("0 0 30 2 *", "UTC").unwrap_err();
/// assert!(error.to_string().contains("never"));
/// # Ok::<(), pgq_cron::CronError>(())
/// ```
#[derive(Clone)]
pub struct Cron {
    pattern: croner::Cron,
    zone: jiff::tz::TimeZone,
    text: String,
    timezone: String,
}

impl Cron {
    /// Reads five fields, minute, hour, day of the month, month and day of the week, or six with seconds before them, or a
    /// word such as `@daily`; and the name of a time zone as in `Europe/Rome` or `UTC`.
    ///
    /// # Errors
    /// What is no cron expression, one that never comes, and a time zone that does not exist.
    pub fn parse(text: &str, timezone: &str) -> Result<Self, CronError> {
        let zone = zone::find(timezone)?;
        let pattern = text::parse(text)?;
        Ok(Self { pattern, zone, text: text.to_owned(), timezone: timezone.to_owned() })
    }

    /// The expression, as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The name of the time zone, as it was given.
    pub fn timezone(&self) -> &str {
        &self.timezone
    }
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cron").field("text", &self.text).field("timezone", &self.timezone).finish()
    }
}

impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.timezone == other.timezone
    }
}

impl Eq for Cron {}
