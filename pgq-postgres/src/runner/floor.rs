use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use super::claim::LARGE_CLAIM;
use super::stretch::{Place, Stretch};

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

/// From so many jobs of a priority in one claim on the next begins where this one ended: a job whose transaction commits a
/// little later joins a queue of many, and waits for the next look from the start. To walk each time over what was claimed
/// in the last 20 ms cost a seventh of a drain's time.
const PLENTY: usize = LARGE_CLAIM;

/// More priorities of a queue than this have no floor: each is a look into the index more.
const MOST_FLOORS: usize = 16;

/// How far a claim came in each priority of each queue.
pub(crate) type Reached<'a> = HashMap<(&'a str, i16), Came>;

/// The last job that a claim took of a priority, and how many there were.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Came {
    pub(crate) to: i64,
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

/// Where to begin in each queue.
///
/// While an old transaction pins the horizon of visibility, deleted entries at the head of the index cannot be
/// removed, and every claim from the start walks over them: measured at 4,000 jobs a second, 24 ms a claim after
/// 35 s, against 0.9 ms from a floor. So a claim begins in each priority at the job that claims had reached a moment ago,
/// the floor, and looks from the start only as often as that is cheap. A job whose transaction committed late, behind the
/// floor, waits for that. A look that finds as many jobs as it asks for goes on from there, until it has come to the floor.
#[derive(Default)]
pub(crate) struct Floors {
    by_queue: HashMap<String, Queue>,
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

#[derive(Default)]
struct Queue {
    by_priority: BTreeMap<i16, Floor>,
    /// A look has come to here, and goes on.
    behind: Option<Place>,
}

/// The floor of a priority; jobs by their ids.
struct Floor {
    floor: i64,
    /// Becomes the floor when it is old enough.
    coming: i64,
    coming_since: Instant,
    reached: i64,
    /// There is more than a claim takes.
    plenty: bool,
}

impl Floors {
    /// Something may have been put behind a floor: begin at the start next time.
    pub(crate) fn look(&mut self) {
        self.next_look = None;
        self.look_until = None;
        self.by_queue.values_mut().for_each(|queue| queue.behind = None);
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
    pub(crate) fn of_look(&self, queue: &str, now: Instant) -> Vec<Stretch> {
        match self.by_queue.get(queue) {
            Some(Queue { by_priority, behind: Some((priority, id)) }) => {
                let mut floors = self.at(by_priority.range(..priority), now);
                floors.insert(*priority, *id);
                Stretch::above(&floors)
            }
            _ if self.is_looking() => self.of(queue, now),
            _ => vec![Stretch::WHOLE],
        }
    }

    /// Where claims had come to at some moment that lies long enough back.
    pub(crate) fn of(&self, queue: &str, now: Instant) -> Vec<Stretch> {
        match self.by_queue.get(queue) {
            Some(Queue { by_priority, .. }) => Stretch::above(&self.at(by_priority.iter(), now)),
            None => vec![Stretch::WHOLE],
        }
    }

    /// Where looks are rare, nothing is left behind for them that could be found.
    fn at<'a>(&self, floors: impl Iterator<Item = (&'a i16, &'a Floor)>, now: Instant) -> BTreeMap<i16, i64> {
        let (dear, age) = (self.looks_are_dear(), self.age());
        let at = |floor: &Floor| if floor.plenty && !dear { floor.reached } else { floor.aged(now, age) };
        floors.map(|(priority, floor)| (*priority, at(floor))).collect()
    }

    /// A claim from the floors took that long.
    pub(crate) fn claim_took(&mut self, took: Duration) {
        self.claims.took(took);
    }

    /// A claim from the floors took these jobs.
    pub(crate) fn claimed(&mut self, claimed: &Reached<'_>, now: Instant) {
        let were_plenty = self.plenty();
        if claimed.is_empty() {
            self.by_queue.values_mut().for_each(Queue::is_short);
        }
        for (queue, _) in claimed.keys() {
            self.by_queue.get_mut(*queue).into_iter().for_each(Queue::is_short);
        }
        for (&(queue, priority), came) in claimed {
            self.reached(queue, priority, *came, now);
        }
        // What was left behind meanwhile is looked for once a queue is short again.
        if self.plenty() < were_plenty {
            self.next_look = self.look_allowed.min(self.next_look);
        }
    }

    /// A claim of a look took these jobs.
    pub(crate) fn looked(&mut self, found: &Reached<'_>, look: Look, now: Instant) {
        self.longest = self.longest.max(look.took);
        let until = *self.look_until.get_or_insert(now + LOOK_INTERVAL.max(self.looks.time * LARGEST_SHARE));
        if !look.filled {
            self.by_queue.values_mut().for_each(|queue| queue.behind = None);
        }
        let mut last = HashMap::new();
        for (&(queue, priority), came) in found {
            if !self.is_behind(queue, (priority, came.to)) {
                self.reached(queue, priority, *came, now);
            }
            let last = last.entry(queue).or_insert((priority, came.to));
            *last = (*last).max((priority, came.to));
        }
        for (queue, place) in last {
            let behind = look.filled && self.is_behind(queue, place);
            if let Some(queue) = self.by_queue.get_mut(queue) {
                queue.behind = behind.then_some(place);
            }
        }
        if !self.is_looking() {
            self.look_ended(look.alike, now);
        } else if now >= until {
            self.look();
        }
    }

    /// Whether claims have come further.
    fn is_behind(&self, queue: &str, (priority, id): Place) -> bool {
        let floor = self.by_queue.get(queue).and_then(|queue| queue.by_priority.get(&priority));
        floor.is_some_and(|floor| id < floor.reached)
    }

    /// The floor of a priority moves up to where a claim came.
    fn reached(&mut self, queue: &str, priority: i16, came: Came, now: Instant) {
        let age = self.age();
        let floors = &mut self.by_queue.entry(queue.to_owned()).or_default().by_priority;
        match floors.get_mut(&priority) {
            Some(floor) => floor.reached(came, age, now),
            None => {
                let oldest =
                    floors.iter().min_by_key(|(_, floor)| floor.coming_since).map(|(oldest, _)| *oldest);
                if let Some(oldest) = oldest.filter(|_| floors.len() >= MOST_FLOORS) {
                    floors.remove(&oldest);
                }
                floors.insert(priority, Floor::new(came, now));
            }
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

    /// How many floors have more than a claim takes above them.
    fn plenty(&self) -> usize {
        self.by_queue
            .values()
            .flat_map(|queue| queue.by_priority.values())
            .filter(|floor| floor.plenty)
            .count()
    }

    fn is_looking(&self) -> bool {
        self.by_queue.values().any(|queue| queue.behind.is_some())
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

impl Queue {
    fn is_short(&mut self) {
        self.by_priority.values_mut().for_each(|floor| floor.plenty = false);
    }
}

impl Floor {
    fn new(came: Came, now: Instant) -> Self {
        let plenty = came.jobs >= PLENTY;
        Self { floor: i64::MIN, coming: came.to, coming_since: now, reached: came.to, plenty }
    }

    fn reached(&mut self, came: Came, age: Duration, now: Instant) {
        self.plenty = came.jobs >= PLENTY;
        self.floor = self.aged(now, age);
        self.reached = self.reached.max(came.to);
        if self.floor == self.coming {
            self.coming = self.reached;
            self.coming_since = now;
        }
    }

    fn aged(&self, now: Instant, age: Duration) -> i64 {
        if now >= self.coming_since + age { self.coming } else { self.floor }
    }
}

#[cfg(test)]
mod tests {
    use super::super::stretch::START;
    use super::*;

    fn took((priority, to): Place, jobs: usize) -> Reached<'static> {
        HashMap::from([(("q", priority), Came { to, jobs })])
    }

    /// Where the stretch of the last priority begins.
    fn last(stretches: &[Stretch]) -> Place {
        stretches.last().expect("there is one at least").from
    }

    /// Two looks that take that long and find nothing: the first may have waited for something.
    fn look(floors: &mut Floors, took: Duration, alike: u32, now: Instant) {
        floors.looked(&HashMap::new(), Look { took, filled: false, alike }, now);
        floors.looked(&HashMap::new(), Look { took, filled: false, alike }, now);
    }

    fn one(millis: u64, filled: bool) -> Look {
        Look { took: Duration::from_millis(millis), filled, alike: 1 }
    }

    #[test]
    fn a_floor_is_what_was_reached_a_moment_ago() {
        let start = Instant::now();
        let mut floors = Floors::default();
        for step in 0..40 {
            floors.claimed(&took((0, i64::from(step)), 1), start + AGE / 10 * step as u32);
        }
        let (_, id) = last(&floors.of("q", start + AGE / 10 * 39));
        assert!((19..30).contains(&id), "what was reached between one and two ages before: {id}");
        assert_eq!(floors.of("other", start), [Stretch::WHOLE]);
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
        floors.looked(&HashMap::new(), one(3000, false), now);
        assert!(floors.look_is_due(now));
        look(&mut floors, Duration::from_millis(2), 1, now);
        floors.looked(&HashMap::new(), one(3000, false), now);
        assert!(floors.look_is_due(now + Duration::from_millis(400)));
        floors.looked(&HashMap::new(), one(4000, false), now);
        assert!(!floors.look_is_due(now + Duration::from_secs(59)));
    }

    #[test]
    fn runners_share_the_looks_while_there_is_plenty() {
        let now = Instant::now();
        let mut floors = Floors::default();
        floors.claimed(&took((0, 1), PLENTY), now);
        look(&mut floors, Duration::from_millis(20), 6, now);
        assert!(!floors.look_is_due(now + Duration::from_millis(5999)));
        assert!(floors.look_is_due(now + Duration::from_secs(6)));
        look(&mut floors, Duration::from_millis(20), 1000, now);
        assert!(floors.look_is_due(now + SHARED_LOOK_INTERVAL));
        floors.claimed(&HashMap::new(), now);
        assert!(floors.look_is_due(now + Duration::from_millis(400)), "each looks for itself at the end");
    }

    #[test]
    fn floors_lie_further_back_where_looks_are_rare() {
        let now = Instant::now();
        let mut floors = Floors::default();
        floors.claimed(&took((0, 1), 1), now);
        look(&mut floors, Duration::from_millis(300), 1, now);
        assert_eq!(last(&floors.of("q", now + AGE)), (0, i64::MIN));
        assert_eq!(last(&floors.of("q", now + LONGEST_AGE)), (0, 1));
    }

    #[test]
    fn a_floor_is_what_was_reached_while_there_is_plenty() {
        let now = Instant::now();
        let mut floors = Floors::default();
        look(&mut floors, Duration::from_millis(2), 1, now);
        floors.claimed(&took((0, 1), PLENTY), now);
        floors.claimed(&took((0, 2), PLENTY), now);
        assert_eq!(last(&floors.of("q", now)), (0, 2));
        assert!(!floors.look_is_due(now + Duration::from_millis(40)));
        floors.claimed(&took((0, 3), PLENTY - 1), now);
        assert_ne!(last(&floors.of("q", now)), (0, 3));
        assert!(floors.look_is_due(now + Duration::from_millis(40)), "what was left behind is looked for");
        assert!(!floors.look_is_due(now + Duration::from_millis(39)), "not too often");
    }

    #[test]
    fn a_look_that_finds_all_it_asks_for_goes_on_from_there_and_leaves_the_floor() {
        let now = Instant::now();
        let mut floors = Floors::default();
        look(&mut floors, Duration::from_millis(100), 1, now);
        floors.claimed(&took((0, 9000), PLENTY), now);
        let due = now + Duration::from_secs(2);
        assert_eq!(floors.of_look("q", due), [Stretch::WHOLE]);
        floors.looked(&took((0, 500), 5), one(100, true), due);
        assert!(floors.look_is_due(due));
        assert_eq!(last(&floors.of_look("q", due)), (0, 500));
        assert_eq!(floors.of_look("other", due), [Stretch::WHOLE]);
        assert_eq!(last(&floors.of("q", due)), (0, 9000));
        floors.looked(&HashMap::from([(("other", 0), Came { to: 3, jobs: 5 })]), one(1, true), due);
        assert_eq!(last(&floors.of_look("q", due)), (0, 500), "it has not been there yet");
        floors.looked(&took((0, 510), 4), one(1, false), due);
        assert!(!floors.look_is_due(due + Duration::from_millis(1999)), "its longest claim counts");
        assert!(floors.look_is_due(due + Duration::from_secs(2)));
        assert_eq!(floors.of_look("q", due + Duration::from_secs(2)), [Stretch::WHOLE]);
    }

    #[test]
    fn a_look_that_goes_on_for_long_begins_anew() {
        let now = Instant::now();
        let mut floors = Floors::default();
        look(&mut floors, Duration::from_millis(2), 1, now);
        floors.claimed(&took((0, 9000), PLENTY), now);
        floors.looked(&took((0, 500), PLENTY), one(2, true), now);
        let late = now + LOOK_INTERVAL;
        floors.looked(&took((0, 600), PLENTY), one(2, true), late);
        assert!(floors.look_is_due(late));
        assert_eq!(floors.of_look("q", late), [Stretch::WHOLE]);
    }

    #[test]
    fn a_look_is_over_when_it_has_come_to_the_floor() {
        let now = Instant::now();
        let mut floors = Floors::default();
        look(&mut floors, Duration::from_millis(2), 1, now);
        floors.claimed(&took((0, 9000), PLENTY), now);
        floors.looked(&took((0, 9500), PLENTY), one(2, true), now);
        assert!(!floors.look_is_due(now));
        assert_eq!(last(&floors.of("q", now)), (0, 9500));
    }

    fn stretch(from: Place, until: i32) -> Stretch {
        Stretch { from, until }
    }

    #[test]
    fn each_priority_has_its_floor_and_those_that_have_none_are_looked_at_whole() {
        let now = Instant::now();
        let mut floors = Floors::default();
        look(&mut floors, Duration::from_millis(2), 1, now);
        floors.claimed(&took((5, 70), PLENTY), now);
        floors.claimed(&took((-3, 90), PLENTY), now);
        let later = now + AGE;
        let expected = [stretch(START, -3), stretch((-3, 90), 5), Stretch::after((5, 70))];
        assert_eq!(floors.of("q", later), expected);
    }

    #[test]
    fn a_look_that_goes_on_in_one_priority_takes_the_floors_of_those_before() {
        let now = Instant::now();
        let mut floors = Floors::default();
        look(&mut floors, Duration::from_millis(2), 1, now);
        floors.claimed(&took((5, 9000), PLENTY), now);
        floors.claimed(&took((-3, 90), PLENTY), now);
        floors.looked(&took((5, 500), 5), one(2, true), now);
        let expected = [stretch(START, -3), stretch((-3, 90), 5), Stretch::after((5, 500))];
        assert_eq!(floors.of_look("q", now), expected);
    }

    #[test]
    fn a_queue_of_very_many_priorities_has_floors_for_some() {
        let now = Instant::now();
        let mut floors = Floors::default();
        for priority in 0..100 {
            floors.claimed(&took((priority, 7), 1), now + Duration::from_millis(priority as u64));
        }
        let stretches = floors.of("q", now + Duration::from_secs(1));
        assert_eq!(stretches.len(), MOST_FLOORS + 1);
        assert_eq!(last(&stretches), (99, 7));
        let gaps = stretches.windows(2).filter(|two| two[0].until != i32::from(two[1].from.0)).count();
        assert_eq!(gaps, 0, "whatever is not behind a floor is in a stretch: {stretches:?}");
    }
}
