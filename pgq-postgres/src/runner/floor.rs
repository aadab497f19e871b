use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How far back in time a floor lies: jobs whose transactions take no longer than that need no rescan to be found.
/// A second cost a fifth of the claims' time at 100,000 jobs a second, in dead entries walked over.
const AGE: Duration = Duration::from_millis(20);

/// It lies so many times the length of a rescan back, where rescans are rare because they take long.
const AGE_IN_RESCANS: u32 = 10;
const LONGEST_AGE: Duration = Duration::from_millis(250);

/// A rescan is due after this time, or sooner where it takes little: jobs that another runner gave back lie behind the
/// floor until then.
const RESCAN_INTERVAL: Duration = Duration::from_secs(1);

/// Sooner, while rescans take no more than one part in so many of the time.
const CHEAP_SHARE: u32 = 200;

/// Later, where they would take more than one part in so many. With an old snapshot held for a quarter of an hour under
/// 4,000 jobs a second, one takes 0.3 s and more.
const LARGEST_SHARE: u32 = 20;

/// A place in the order of a queue: priority, then id.
pub(crate) type Place = (i16, i64);

/// Before every job.
pub(crate) const START: Place = (i16::MIN, i64::MIN);

/// Where to begin in each queue.
///
/// While an old transaction pins the horizon of visibility, deleted entries at the head of the index cannot be
/// removed, and every claim from the start walks over them: measured at 4,000 jobs a second, 24 ms a claim after
/// 35 s, against 0.9 ms from a floor. So a claim begins at the place that claims had reached a moment ago, and
/// from the start only as often as that is cheap. A job whose transaction committed late, behind the floor, waits for that.
pub(crate) struct Floors {
    by_queue: HashMap<String, Floor>,
    next_rescan: Option<Instant>,
    age: Duration,
}

impl Default for Floors {
    fn default() -> Self {
        Self { by_queue: HashMap::new(), next_rescan: None, age: AGE }
    }
}

struct Floor {
    floor: Place,
    /// Becomes the floor when it is old enough.
    coming: Place,
    coming_since: Instant,
    reached: Place,
}

impl Floors {
    /// Something may have been put behind a floor: begin at the start next time.
    pub(crate) fn rescan(&mut self) {
        self.next_rescan = None;
    }

    pub(crate) fn rescan_is_due(&self, now: Instant) -> bool {
        self.next_rescan.is_none_or(|next| next <= now)
    }

    /// How long until a look from the start is due.
    pub(crate) fn rescan_in(&self, now: Instant) -> Duration {
        self.next_rescan.map_or(Duration::ZERO, |next| next.saturating_duration_since(now))
    }

    /// A look from the start took that long.
    pub(crate) fn rescanned(&mut self, now: Instant, took: Duration) {
        let wait = (took * CHEAP_SHARE).min(RESCAN_INTERVAL).max(took * LARGEST_SHARE);
        self.next_rescan = Some(now + wait);
        self.age = (took * AGE_IN_RESCANS).clamp(AGE, LONGEST_AGE);
    }

    /// Where claims had come to at some moment that lies long enough back.
    pub(crate) fn of(&self, queue: &str, now: Instant) -> Place {
        self.by_queue.get(queue).map_or(START, |floor| floor.at(now, self.age))
    }

    /// Jobs up to that place were claimed.
    pub(crate) fn reached(&mut self, queue: &str, place: Place, now: Instant) {
        let Some(floor) = self.by_queue.get_mut(queue) else {
            let floor = Floor { floor: START, coming: place, coming_since: now, reached: place };
            self.by_queue.insert(queue.to_owned(), floor);
            return;
        };
        floor.floor = floor.at(now, self.age);
        floor.reached = floor.reached.max(place);
        if floor.floor == floor.coming {
            floor.coming = floor.reached;
            floor.coming_since = now;
        }
    }
}

impl Floor {
    fn at(&self, now: Instant, age: Duration) -> Place {
        if now >= self.coming_since + age { self.coming } else { self.floor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_floor_is_what_was_reached_a_moment_ago() {
        let start = Instant::now();
        let mut floors = Floors::default();
        for step in 0..40 {
            floors.reached("q", (0, i64::from(step)), start + AGE / 10 * step as u32);
        }
        let (_, id) = floors.of("q", start + AGE / 10 * 39);
        assert!((19..30).contains(&id), "what was reached between one and two ages before: {id}");
        assert_eq!(floors.of("other", start), START);
    }

    #[test]
    fn rescans_take_a_small_part_of_the_time() {
        let now = Instant::now();
        let mut floors = Floors::default();
        assert!(floors.rescan_is_due(now));
        floors.rescanned(now, Duration::from_millis(2));
        assert!(!floors.rescan_is_due(now + Duration::from_millis(399)));
        assert!(floors.rescan_is_due(now + Duration::from_millis(400)));
        floors.rescanned(now, Duration::from_secs(3));
        assert!(!floors.rescan_is_due(now + Duration::from_secs(59)));
        assert!(floors.rescan_is_due(now + Duration::from_secs(60)));
        floors.rescanned(now, Duration::from_millis(20));
        assert!(floors.rescan_is_due(now + Duration::from_secs(1)));
        floors.rescan();
        assert!(floors.rescan_is_due(now));
    }

    #[test]
    fn floors_lie_further_back_where_rescans_are_rare() {
        let now = Instant::now();
        let mut floors = Floors::default();
        floors.reached("q", (0, 1), now);
        floors.rescanned(now, Duration::from_millis(300));
        assert_eq!(floors.of("q", now + AGE), START);
        assert_eq!(floors.of("q", now + LONGEST_AGE), (0, 1));
    }
}
