//! From the wall clock to instants and back.
//!
//! The pattern is matched against the wall clock alone, and each match becomes one instant by our own rule, so
//! that what daylight saving does to a schedule depends on no library. Later wall clock times never become
//! earlier instants: those inside of a gap become its end, those that come twice count the first time.

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::AmbiguousOffset;

use crate::Cron;

/// The ticks of a schedule, one after the other. Made by [`Cron::upcoming`].
#[derive(Debug, Clone)]
pub struct Ticks<'a> {
    cron: &'a Cron,
    at: SystemTime,
    backward: bool,
}

impl Cron {
    /// The first tick after that time; `None` only thousands of years away.
    pub fn next_after(&self, after: SystemTime) -> Option<SystemTime> {
        let after = Timestamp::try_from(after).ok()?;
        let mut wall = whole_second(self.zone.to_datetime(after));
        loop {
            wall = self.pattern.find_next_occurrence(&wall, false).ok()?;
            let instant = self.instant(wall)?;
            // What the wall clock shows for the second time has ticked before.
            if instant > after {
                return Some(instant.into());
            }
        }
    }

    /// The last tick that is not after that time.
    pub fn last_until(&self, until: SystemTime) -> Option<SystemTime> {
        let until = Timestamp::try_from(until).ok()?;
        let mut wall = self.latest_shown(until)?;
        let mut inclusive = true;
        loop {
            wall = self.pattern.find_previous_occurrence(&wall, inclusive).ok()?;
            inclusive = false;
            let instant = self.instant(wall)?;
            if instant <= until {
                return Some(instant.into());
            }
        }
    }

    /// The ticks after that time, without end.
    pub fn upcoming(&self, after: SystemTime) -> Ticks<'_> {
        Ticks { cron: self, at: after, backward: false }
    }

    /// The ticks that are not after that time, the last one first.
    pub fn past(&self, until: SystemTime) -> Ticks<'_> {
        Ticks { cron: self, at: until, backward: true }
    }

    /// The one instant at which this wall clock time counts.
    fn instant(&self, wall: DateTime) -> Option<Timestamp> {
        match self.zone.to_ambiguous_timestamp(wall).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(wall).ok(),
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(wall).ok(),
            AmbiguousOffset::Gap { after, .. } => {
                // By the offset of after the gap it is before its end, which is the next change of the clocks.
                let before_end = after.to_timestamp(wall).ok()?;
                self.zone.following(before_end).next().map(|change| change.timestamp())
            }
        }
    }

    /// The latest wall clock time that any instant up to this one has shown.
    fn latest_shown(&self, until: Timestamp) -> Option<DateTime> {
        let wall = whole_second(self.zone.to_datetime(until));
        match self.zone.to_ambiguous_timestamp(wall).offset() {
            // While it is shown for the second time, all of the repeated time was shown before.
            AmbiguousOffset::Fold { before, after } if self.zone.to_offset(until) == after => {
                let repeated = before.duration_since(after);
                wall.checked_add(repeated).ok()
            }
            _ => Some(wall),
        }
    }
}

impl Iterator for Ticks<'_> {
    type Item = SystemTime;

    fn next(&mut self) -> Option<SystemTime> {
        if !self.backward {
            self.at = self.cron.next_after(self.at)?;
            return Some(self.at);
        }
        let tick = self.cron.last_until(self.at)?;
        self.at = tick.checked_sub(std::time::Duration::from_nanos(1))?;
        Some(tick)
    }
}

fn whole_second(wall: DateTime) -> DateTime {
    wall.with().subsec_nanosecond(0).build().unwrap_or(wall)
}
