use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::claim::LARGE_CLAIM;

/// How far back in time a floor lies: jobs whose transactions take no longer than that need no look to be found.
/// A second cost a fifth of the claims' time at 100,000 jobs a second, in dead entries walked over.
const AGE: Duration = Duration::from_millis(20);

/// It lies so many times the length of a look back, where looks are rare because they take long.
const AGE_IN_LOOKS: u32 = 10;
const LONGEST_AGE: Duration = Duration::from_millis(250);

/// A look from the start is due after this time, or sooner where it takes little: jobs that another runner gave back lie
/// behind the floor until then.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Sooner, while looks take no more than one part in so many of the time.
const CHEAP_SHARE: u32 = 200;

/// Later, where they would take more than one part in so many. With an old snapshot held for a quarter of an hour under
/// 4,000 jobs a second, one takes 0.3 s and more.
const LARGEST_SHARE: u32 = 20;

/// Looks are dear only where they take so many times as long as other claims: hundreds of times with such a snapshot. Where
/// many runners share few processors every claim takes long, some ten times as long as others, and to give up turns and
/// walk further back for that makes all of them take longer still: sixteen runners on two processors fell from 220,000
/// jobs a second to 70,000 and stayed there.
const DEARER: u32 = 16;

/// However many runners share the looks, each makes one after this time: the others may be busy with what takes long.
const SHARED_LOOK_INTERVAL: Duration = Duration::from_secs(10);

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

/// A claim of a look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) took: Duration,
    /// It took as many jobs as it asked for, so there may be more.
    pub(crate) filled: bool,
    /// How many runners look alike.
    pub(crate) alike: u32,
}

/// Before every job.
pub(crate) const START: Place = (i16::MIN, i64::MIN);

/// Where to begin in each queue.
///
/// While an old transaction pins the horizon of visibility, deleted entries at the head of the index cannot be
/// removed, and every claim from the start walks over them: measured at 4,000 jobs a second, 24 ms a claim after
/// 35 s, against 0.9 ms from a floor. So a claim begins at the place that claims had reached a moment ago, the floor, and
/// looks from the start only as often as that is cheap. A job whose transaction committed late, behind the floor, waits
/// for that. A look that finds as many jobs as it asks for goes on from there, until it has come to the floor.
#[derive(Default)]
pub(crate) struct Floors {
    by_queue: HashMap<String, Floor>,
    next_look: Option<Instant>,
    /// When the one that is under way begins anew: meanwhile jobs may have come that are before where it is.
    look_until: Option<Instant>,
    /// When one may be made without taking too large a part of the time.
    look_allowed: Option<Instant>,
    /// The longest claim of the look that is under way.
    longest: Duration,
    /// How long a claim of a look takes, and one from the floors.
    looks: Usual,
    claims: Usual,
}

/// How long something takes: the shorter of the last two, since one may have waited for something else.
#[derive(Debug, Default)]
struct Usual {
    time: Duration,
    last: Duration,
}

struct Floor {
    floor: Place,
    /// Becomes the floor when it is old enough.
    coming: Place,
    coming_since: Instant,
    reached: Place,
    /// There is more than a claim takes.
    plenty: bool,
    /// A look has come to here, and goes on.
    behind: Option<Place>,
}

impl Floors {
    /// Something may have been put behind a floor: begin at the start next time.
    pub(crate) fn look(&mut self) {
        self.next_look = None;
        self.look_until = None;
        self.by_queue.values_mut().for_each(|floor| floor.behind = None);
    }

    /// Looks take so long that other claims are not to wait for them, and are made only as often as their share allows.
    pub(crate) fn looks_are_dear(&self) -> bool {
        let look = self.looks.time;
        look * LARGEST_SHARE > LOOK_INTERVAL && look > self.claims.time * DEARER
    }

    /// How long until a look from the start is due.
    pub(crate) fn look_in(&self, now: Instant) -> Duration {
        let due = if self.looks_are_dear() { self.look_allowed } else { self.next_look };
        match due {
            Some(due) if !self.is_looking() => due.saturating_duration_since(now),
            _ => Duration::ZERO,
        }
    }

    pub(crate) fn look_is_due(&self, now: Instant) -> bool {
        self.look_in(now).is_zero()
    }

    /// Where a look begins or goes on.
    pub(crate) fn of_look(&self, queue: &str, now: Instant) -> Place {
        match self.by_queue.get(queue) {
            Some(floor) if self.is_looking() => floor.behind.unwrap_or(self.at(floor, now)),
            _ => START,
        }
    }

    /// Where claims had come to at some moment that lies long enough back.
    pub(crate) fn of(&self, queue: &str, now: Instant) -> Place {
        self.by_queue.get(queue).map_or(START, |floor| self.at(floor, now))
    }

    /// Where looks are rare, nothing is left behind for them that could be found.
    fn at(&self, floor: &Floor, now: Instant) -> Place {
        if floor.plenty && !self.looks_are_dear() { floor.reached } else { floor.aged(now, self.age()) }
    }

    /// A claim from the floors took that long.
    pub(crate) fn claim_took(&mut self, took: Duration) {
        self.claims.took(took);
    }

    /// A claim from the floors took these jobs.
    pub(crate) fn claimed(&mut self, claimed: HashMap<&str, Reached>, now: Instant) {
        let were_plenty = self.plenty();
        if claimed.is_empty() {
            self.by_queue.values_mut().for_each(|floor| floor.plenty = false);
        }
        for (queue, reached) in claimed {
            self.reached(queue, &reached, now);
        }
        // What was left behind meanwhile is looked for once a queue is short again.
        if self.plenty() < were_plenty {
            self.next_look = self.look_allowed.min(self.next_look);
        }
    }

    /// A claim of a look took these jobs.
    pub(crate) fn looked(&mut self, found: HashMap<&str, Reached>, look: Look, now: Instant) {
        self.longest = self.longest.max(look.took);
        let until = *self.look_until.get_or_insert(now + LOOK_INTERVAL.max(self.looks.time * LARGEST_SHARE));
        if !look.filled {
            self.by_queue.values_mut().for_each(|floor| floor.behind = None);
        }
        for (queue, reached) in found {
            let floor = self.by_queue.get_mut(queue);
            let is_behind = floor.as_ref().is_some_and(|floor| reached.place < floor.reached);
            if let Some(floor) = floor {
                floor.behind = (is_behind && look.filled).then_some(reached.place);
            }
            if !is_behind {
                self.reached(queue, &reached, now);
            }
        }
        if !self.is_looking() {
            self.look_ended(look.alike, now);
        } else if now >= until {
            self.look();
        }
    }

    /// The floor of a queue moves up to where a claim came.
    fn reached(&mut self, queue: &str, reached: &Reached, now: Instant) {
        let age = self.age();
        match self.by_queue.get_mut(queue) {
            None => drop(self.by_queue.insert(queue.to_owned(), Floor::new(reached, now))),
            Some(floor) => floor.reached(reached, age, now),
        }
    }

    fn look_ended(&mut self, alike: u32, now: Instant) {
        self.look_until = None;
        self.looks.took(std::mem::take(&mut self.longest));
        let cost = self.looks.time;
        let wait = (cost * CHEAP_SHARE).min(LOOK_INTERVAL).max(cost * LARGEST_SHARE);
        // Where there is plenty each runner would walk over what all of them have taken.
        let shared = (wait * alike.max(1)).min(SHARED_LOOK_INTERVAL).max(wait);
        self.next_look = Some(now + if self.plenty() > 0 { shared } else { wait });
        self.look_allowed = Some(now + cost * LARGEST_SHARE);
    }

    /// A look failed after so long, maybe because it took too long: it is not made again at once.
    pub(crate) fn look_failed(&mut self, took: Duration, now: Instant) {
        self.look();
        self.longest = self.longest.max(took);
        self.look_ended(1, now);
    }

    /// How many queues have more than a claim takes.
    fn plenty(&self) -> usize {
        self.by_queue.values().filter(|floor| floor.plenty).count()
    }

    fn is_looking(&self) -> bool {
        self.by_queue.values().any(|floor| floor.behind.is_some())
    }

    fn age(&self) -> Duration {
        (self.looks.time * AGE_IN_LOOKS).clamp(AGE, LONGEST_AGE)
    }
}

impl Usual {
    fn took(&mut self, took: Duration) {
        self.time = took.min(std::mem::replace(&mut self.last, took));
    }
}

impl Floor {
    fn new(reached: &Reached, now: Instant) -> Self {
        let Reached { place, jobs } = *reached;
        let plenty = jobs >= PLENTY;
        Self { floor: START, coming: place, coming_since: now, reached: place, plenty, behind: None }
    }

    fn reached(&mut self, reached: &Reached, age: Duration, now: Instant) {
        self.plenty = reached.jobs >= PLENTY;
        self.floor = self.aged(now, age);
        self.reached = self.reached.max(reached.place);
        if self.floor == self.coming {
            self.coming = self.reached;
            self.coming_since = now;
        }
    }

    fn aged(&self, now: Instant, age: Duration) -> Place {
        if now >= self.coming_since + age { self.coming } else { self.floor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn took(place: Place, jobs: usize) -> HashMap<&'static str, Reached> {
        HashMap::from([("q", Reached { place, jobs })])
    }

    /// Two looks that take that long and find nothing: the first may have waited for something.
    fn look(floors: &mut Floors, took: Duration, alike: u32, now: Instant) {
        floors.looked(HashMap::new(), Look { took, filled: false, alike }, now);
        floors.looked(HashMap::new(), Look { took, filled: false, alike }, now);
    }

    fn one(millis: u64, filled: bool) -> Look {
        Look { took: Duration::from_millis(millis), filled, alike: 1 }
    }

    #[test]
    fn a_floor_is_what_was_reached_a_moment_ago() {
        let start = Instant::now();
        let mut floors = Floors::default();
        for step in 0..40 {
            floors.claimed(took((0, i64::from(step)), 1), start + AGE / 10 * step as u32);
        }
        let (_, id) = floors.of("q", start + AGE / 10 * 39);
        assert!((19..30).contains(&id), "what was reached between one and two ages before: {id}");
        assert_eq!(floors.of("other", start), START);
    }

    #[test]
    fn looks_take_a_small_part_of_the_time() {
        let now = Instant::now();
        let mut floors = Floors::default();
        assert!(floors.look_is_due(now));
        look(&mut floors, Duration::from_millis(2), 1, now);
        assert!(!floors.look_is_due(now + Duration::from_millis(399)));
        assert!(floors.look_is_due(now + Duration::from_millis(400)));
        look(&mut floors, Duration::from_millis(20), 16, now);
        assert!(!floors.look_is_due(now + Duration::from_millis(999)));
        assert!(floors.look_is_due(now + LOOK_INTERVAL));
        floors.look();
        assert!(floors.look_is_due(now));
    }

    #[test]
    fn dear_looks_wait_for_their_time_whatever_happens() {
        let now = Instant::now();
        let mut floors = Floors::default();
        look(&mut floors, Duration::from_secs(3), 16, now);
        assert!(floors.looks_are_dear());
        floors.look();
        assert!(!floors.look_is_due(now + Duration::from_secs(59)));
        assert!(floors.look_is_due(now + Duration::from_secs(60)));
    }

    #[test]
    fn looks_are_not_dear_where_every_claim_takes_long() {
        let now = Instant::now();
        let mut floors = Floors::default();
        look(&mut floors, Duration::from_millis(200), 16, now);
        assert!(floors.looks_are_dear());
        for _ in 0..2 {
            floors.claim_took(Duration::from_millis(50));
        }
        assert!(!floors.looks_are_dear());
        floors.claim_took(Duration::from_millis(2));
        assert!(floors.looks_are_dear());
    }

    #[test]
    fn one_look_that_took_long_says_nothing() {
        let now = Instant::now();
        let mut floors = Floors::default();
        floors.looked(HashMap::new(), one(3000, false), now);
        assert!(floors.look_is_due(now));
        look(&mut floors, Duration::from_millis(2), 1, now);
        floors.looked(HashMap::new(), one(3000, false), now);
        assert!(floors.look_is_due(now + Duration::from_millis(400)));
        floors.looked(HashMap::new(), one(4000, false), now);
        assert!(!floors.look_is_due(now + Duration::from_secs(59)));
    }

    #[test]
    fn runners_share_the_looks_while_there_is_plenty() {
        let now = Instant::now();
        let mut floors = Floors::default();
        floors.claimed(took((0, 1), PLENTY), now);
        look(&mut floors, Duration::from_millis(20), 6, now);
        assert!(!floors.look_is_due(now + Duration::from_millis(5999)));
        assert!(floors.look_is_due(now + Duration::from_secs(6)));
        look(&mut floors, Duration::from_millis(20), 1000, now);
        assert!(floors.look_is_due(now + SHARED_LOOK_INTERVAL));
        floors.claimed(HashMap::new(), now);
        assert!(floors.look_is_due(now + Duration::from_millis(400)), "each looks for itself at the end");
    }

    #[test]
    fn floors_lie_further_back_where_looks_are_rare() {
        let now = Instant::now();
        let mut floors = Floors::default();
        floors.claimed(took((0, 1), 1), now);
        look(&mut floors, Duration::from_millis(300), 1, now);
        assert_eq!(floors.of("q", now + AGE), START);
        assert_eq!(floors.of("q", now + LONGEST_AGE), (0, 1));
    }

    #[test]
    fn a_floor_is_what_was_reached_while_there_is_plenty() {
        let now = Instant::now();
        let mut floors = Floors::default();
        look(&mut floors, Duration::from_millis(2), 1, now);
        floors.claimed(took((0, 1), PLENTY), now);
        floors.claimed(took((0, 2), PLENTY), now);
        assert_eq!(floors.of("q", now), (0, 2));
        assert!(!floors.look_is_due(now + Duration::from_millis(40)));
        floors.claimed(took((0, 3), PLENTY - 1), now);
        assert_ne!(floors.of("q", now), (0, 3));
        assert!(floors.look_is_due(now + Duration::from_millis(40)), "what was left behind is looked for");
        assert!(!floors.look_is_due(now + Duration::from_millis(39)), "not too often");
    }

    #[test]
    fn a_look_that_finds_all_it_asks_for_goes_on_from_there_and_leaves_the_floor() {
        let now = Instant::now();
        let mut floors = Floors::default();
        look(&mut floors, Duration::from_millis(100), 1, now);
        floors.claimed(took((0, 9000), PLENTY), now);
        let due = now + Duration::from_secs(2);
        assert_eq!(floors.of_look("q", due), START);
        floors.looked(took((0, 500), 5), one(100, true), due);
        assert!(floors.look_is_due(due));
        assert_eq!(floors.of_look("q", due), (0, 500));
        assert_eq!(floors.of_look("other", due), START);
        assert_eq!(floors.of("q", due), (0, 9000));
        floors.looked(HashMap::from([("other", Reached { place: (0, 3), jobs: 5 })]), one(1, true), due);
        assert_eq!(floors.of_look("q", due), (0, 500), "it has not been there yet");
        floors.looked(took((0, 510), 4), one(1, false), due);
        assert!(!floors.look_is_due(due + Duration::from_millis(1999)), "its longest claim counts");
        assert!(floors.look_is_due(due + Duration::from_secs(2)));
        assert_eq!(floors.of_look("q", due + Duration::from_secs(2)), START);
    }

    #[test]
    fn a_look_that_goes_on_for_long_begins_anew() {
        let now = Instant::now();
        let mut floors = Floors::default();
        look(&mut floors, Duration::from_millis(2), 1, now);
        floors.claimed(took((0, 9000), PLENTY), now);
        floors.looked(took((0, 500), PLENTY), one(2, true), now);
        let late = now + LOOK_INTERVAL;
        floors.looked(took((0, 600), PLENTY), one(2, true), late);
        assert!(floors.look_is_due(late));
        assert_eq!(floors.of_look("q", late), START);
    }

    #[test]
    fn a_look_is_over_when_it_has_come_to_the_floor() {
        let now = Instant::now();
        let mut floors = Floors::default();
        look(&mut floors, Duration::from_millis(2), 1, now);
        floors.claimed(took((0, 9000), PLENTY), now);
        floors.looked(took((0, 9500), PLENTY), one(2, true), now);
        assert!(!floors.look_is_due(now));
        assert_eq!(floors.of("q", now), (0, 9500));
    }
}
