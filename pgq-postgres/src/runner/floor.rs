use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::claim::LARGE_CLAIM;

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

/// However many runners share the rescans, each makes one after this time: the others may be busy with what takes long.
const SHARED_RESCAN_INTERVAL: Duration = Duration::from_secs(10);

/// From so many jobs of a queue in one claim on the next begins where this one ended: a job whose transaction commits a
/// little later joins a queue of many, and waits for the next look from the start. To walk each time over what was claimed
/// in the last 20 ms cost a seventh of a drain's time.
const PLENTY: usize = LARGE_CLAIM;

/// A place in the order of a queue: priority, then id.
pub(crate) type Place = (i16, i64);

/// What a claim took of a queue: the place of the last job, and how many there were.
pub(crate) struct Reached {
    pub(crate) place: Place,
    pub(crate) jobs: usize,
}

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
    /// When one may be made without taking too large a part of the time.
    rescan_allowed: Option<Instant>,
    age: Duration,
}

impl Default for Floors {
    fn default() -> Self {
        Self { by_queue: HashMap::new(), next_rescan: None, rescan_allowed: None, age: AGE }
    }
}

struct Floor {
    floor: Place,
    /// Becomes the floor when it is old enough.
    coming: Place,
    coming_since: Instant,
    reached: Place,
    /// There is more than a claim takes.
    plenty: bool,
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

    /// A look from the start took that long. So many runners look, of which one is enough while there is plenty.
    pub(crate) fn rescanned(&mut self, now: Instant, took: Duration, alike: u32) {
        let wait = (took * CHEAP_SHARE).min(RESCAN_INTERVAL).max(took * LARGEST_SHARE);
        // Where there is plenty each runner would walk over what all of them have taken.
        let plenty = self.by_queue.values().any(|floor| floor.plenty);
        let shared = (wait * alike.max(1)).min(SHARED_RESCAN_INTERVAL).max(wait);
        self.next_rescan = Some(now + if plenty { shared } else { wait });
        self.rescan_allowed = Some(now + took * LARGEST_SHARE);
        self.age = (took * AGE_IN_RESCANS).clamp(AGE, LONGEST_AGE);
    }

    /// Where claims had come to at some moment that lies long enough back.
    pub(crate) fn of(&self, queue: &str, now: Instant) -> Place {
        self.by_queue.get(queue).map_or(START, |floor| floor.at(now, self.age))
    }

    /// A claim took these jobs, looking from the start of the queues or from the floors.
    pub(crate) fn claimed(&mut self, claimed: HashMap<&str, Reached>, from_start: bool, now: Instant) {
        for (queue, Reached { place, jobs }) in claimed {
            let plenty = jobs >= PLENTY;
            let Some(floor) = self.by_queue.get_mut(queue) else {
                self.by_queue.insert(queue.to_owned(), Floor::at_place(place, plenty, now));
                continue;
            };
            if from_start && plenty {
                // There may be as many between there and the floor.
                *floor = Floor::at_place(place, plenty, now);
                continue;
            }
            floor.reached(place, self.age, now);
            // What was left behind meanwhile is looked for once the queue is short again.
            if std::mem::replace(&mut floor.plenty, plenty) && !plenty {
                self.next_rescan = self.rescan_allowed.min(self.next_rescan);
            }
        }
    }
}

impl Floor {
    fn at_place(place: Place, plenty: bool, now: Instant) -> Self {
        Self { floor: START, coming: place, coming_since: now, reached: place, plenty }
    }

    fn reached(&mut self, place: Place, age: Duration, now: Instant) {
        self.floor = self.aged(now, age);
        self.reached = self.reached.max(place);
        if self.floor == self.coming {
            self.coming = self.reached;
            self.coming_since = now;
        }
    }

    fn at(&self, now: Instant, age: Duration) -> Place {
        if self.plenty { self.reached } else { self.aged(now, age) }
    }

    fn aged(&self, now: Instant, age: Duration) -> Place {
        if now >= self.coming_since + age { self.coming } else { self.floor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claimed(floors: &mut Floors, place: Place, jobs: usize, now: Instant) {
        floors.claimed(HashMap::from([("q", Reached { place, jobs })]), false, now);
    }

    #[test]
    fn a_floor_is_what_was_reached_a_moment_ago() {
        let start = Instant::now();
        let mut floors = Floors::default();
        for step in 0..40 {
            claimed(&mut floors, (0, i64::from(step)), 1, start + AGE / 10 * step as u32);
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
        floors.rescanned(now, Duration::from_millis(2), 1);
        assert!(!floors.rescan_is_due(now + Duration::from_millis(399)));
        assert!(floors.rescan_is_due(now + Duration::from_millis(400)));
        floors.rescanned(now, Duration::from_secs(3), 16);
        assert!(!floors.rescan_is_due(now + Duration::from_secs(59)));
        assert!(floors.rescan_is_due(now + Duration::from_secs(60)));
        floors.rescanned(now, Duration::from_millis(20), 16);
        assert!(floors.rescan_is_due(now + Duration::from_secs(1)));
        floors.rescan();
        assert!(floors.rescan_is_due(now));
    }

    #[test]
    fn runners_share_the_rescans_while_there_is_plenty() {
        let now = Instant::now();
        let mut floors = Floors::default();
        claimed(&mut floors, (0, 1), PLENTY, now);
        floors.rescanned(now, Duration::from_millis(20), 6);
        assert!(!floors.rescan_is_due(now + Duration::from_millis(5999)));
        assert!(floors.rescan_is_due(now + Duration::from_secs(6)));
        floors.rescanned(now, Duration::from_millis(20), 1000);
        assert!(floors.rescan_is_due(now + SHARED_RESCAN_INTERVAL));
        claimed(&mut floors, (0, 2), 1, now);
        assert!(floors.rescan_is_due(now + Duration::from_millis(400)), "each looks for itself at the end");
    }

    #[test]
    fn floors_lie_further_back_where_rescans_are_rare() {
        let now = Instant::now();
        let mut floors = Floors::default();
        claimed(&mut floors, (0, 1), 1, now);
        floors.rescanned(now, Duration::from_millis(300), 1);
        assert_eq!(floors.of("q", now + AGE), START);
        assert_eq!(floors.of("q", now + LONGEST_AGE), (0, 1));
    }

    #[test]
    fn a_floor_is_what_was_reached_while_there_is_plenty() {
        let now = Instant::now();
        let mut floors = Floors::default();
        floors.rescanned(now, Duration::from_millis(2), 1);
        claimed(&mut floors, (0, 1), PLENTY, now);
        claimed(&mut floors, (0, 2), PLENTY, now);
        assert_eq!(floors.of("q", now), (0, 2));
        assert!(!floors.rescan_is_due(now + Duration::from_millis(40)));
        claimed(&mut floors, (0, 3), PLENTY - 1, now);
        assert_ne!(floors.of("q", now), (0, 3));
        assert!(floors.rescan_is_due(now + Duration::from_millis(40)), "what was left behind is looked for");
        assert!(!floors.rescan_is_due(now + Duration::from_millis(39)), "not too often");
    }

    #[test]
    fn a_full_claim_from_the_start_sets_the_floor_back() {
        let now = Instant::now();
        let mut floors = Floors::default();
        claimed(&mut floors, (0, 9000), PLENTY, now);
        floors.claimed(HashMap::from([("q", Reached { place: (0, 500), jobs: PLENTY })]), true, now);
        assert_eq!(floors.of("q", now), (0, 500));
        floors.claimed(HashMap::from([("q", Reached { place: (0, 510), jobs: 10 })]), true, now + AGE);
        assert_eq!(floors.of("q", now + AGE), (0, 500), "it lies back again");
    }
}
