use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::time::Duration;

use tokio::sync::Notify;

use super::shared::Shared;

/// The most jobs that wait in a runner's hands for a slot, or are on their way to it.
const MAX_PREFETCH: usize = 1500;

/// A claim pays once there is room for so many, or for half of what is prefetched.
const GOOD_CLAIM: usize = 500;

/// The most jobs one statement claims.
const MAX_CLAIM: usize = 1000;

/// And never more than the slots work off in this time, so that runners share fairly.
const PREFETCH_WORK: Duration = Duration::from_millis(50);

/// How many jobs a runner has in hand, and how many more it should claim.
///
/// Beside the jobs in its slots it prefetches some, so that slots need not wait for a round trip: as many as
/// the measured time of its handlers makes fifty milliseconds of work.
pub(crate) struct Room {
    slots: usize,
    in_hand: AtomicUsize,
    /// A new claim pays once no more than this many are in hand.
    low_water: AtomicUsize,
    /// A moving average of handlers' times, in nanoseconds; 0: none measured yet.
    handler_nanos: AtomicU64,
    /// So many jobs have the runner to themselves, or wait for that.
    closed: AtomicUsize,
    /// Of every queue, by name.
    limits: Vec<(String, Limit)>,
    changed: Notify,
    changed_for_second: Notify,
    limit_changed: Notify,
}

/// Room for what a claim is about to bring. What it does not fill is free again when this is dropped.
pub(crate) struct Reserved {
    shared: Arc<Shared>,
    jobs: usize,
}

impl Reserved {
    /// Room for as many jobs as it pays to claim now; none while enough are in hand.
    pub(crate) fn of(shared: &Arc<Shared>) -> Option<Self> {
        let jobs = shared.room.reserve();
        (jobs > 0).then(|| Self { shared: shared.clone(), jobs })
    }

    /// Room for one job, whatever is in hand.
    #[cfg(feature = "testing")]
    pub(crate) fn one(shared: &Arc<Shared>) -> Self {
        shared.room.in_hand.fetch_add(1, SeqCst);
        Self { shared: shared.clone(), jobs: 1 }
    }

    pub(crate) fn jobs(&self) -> usize {
        self.jobs
    }

    /// One more job of that lane is in hand.
    pub(crate) fn fill(&mut self, lane: Lane) {
        // The database gives no more than it was asked for.
        self.jobs = self.jobs.saturating_sub(1);
        self.shared.room.took(lane);
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.shared.room.give_back(self.jobs);
    }
}

/// Nothing is claimed until this is dropped.
pub(crate) struct ClosedRoom(Arc<Shared>);

impl ClosedRoom {
    pub(crate) fn of(shared: &Arc<Shared>) -> Self {
        shared.room.close();
        Self(shared.clone())
    }
}

impl Drop for ClosedRoom {
    fn drop(&mut self) {
        self.0.room.open();
    }
}

/// A queue of the runner's, to be found without its name; none is another's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lane(Option<usize>);

/// How many jobs of one queue may be in hand, and how many are.
struct Limit {
    /// As the runner was set; [`UNLIMITED`] if it was not.
    own: usize,
    /// As it is now: operators may have set another.
    most: AtomicUsize,
    in_hand: AtomicUsize,
}

const UNLIMITED: usize = usize::MAX;

impl Room {
    pub(crate) fn new(slots: usize, queues: &[String], limits: &HashMap<String, usize>) -> Self {
        let limit = |queue: &String| {
            let own = limits.get(queue).copied().unwrap_or(UNLIMITED);
            (queue.clone(), Limit { own, most: AtomicUsize::new(own), in_hand: AtomicUsize::new(0) })
        };
        let mut limits: Vec<_> = queues.iter().map(limit).collect();
        limits.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        Self {
            slots,
            in_hand: AtomicUsize::new(0),
            low_water: AtomicUsize::new(slots - 1),
            handler_nanos: AtomicU64::new(0),
            closed: AtomicUsize::new(0),
            limits,
            changed: Notify::new(),
            changed_for_second: Notify::new(),
            limit_changed: Notify::new(),
        }
    }

    /// The limits that operators have set; every other queue is limited as the runner was set.
    pub(crate) fn set_limits(&self, queues: &[String], limits: &[i32]) {
        for (queue, limit) in &self.limits {
            let set = queues.iter().position(|limited| limited == queue).and_then(|n| limits.get(n));
            let most = set.map_or(limit.own, |most| usize::try_from(*most).unwrap_or(limit.own));
            limit.most.store(most, SeqCst);
        }
    }

    /// The lane of that queue.
    pub(crate) fn lane(&self, queue: &str) -> Lane {
        Lane(self.limits.binary_search_by(|(name, _)| name.as_str().cmp(queue)).ok())
    }

    fn limit(&self, lane: Lane) -> Option<&Limit> {
        Some(&self.limits.get(lane.0?)?.1)
    }

    /// Sets aside room for as many jobs as it pays to claim now; 0 while enough are in hand.
    fn reserve(&self) -> usize {
        let prefetch = self.prefetch();
        let low_water = self.slots - 1 + prefetch - (prefetch / 2 + prefetch % 2).min(GOOD_CLAIM);
        self.low_water.store(low_water, SeqCst);
        if self.closed.load(SeqCst) > 0 {
            return 0;
        }
        let free = |in_hand| (self.slots + prefetch).saturating_sub(in_hand).min(MAX_CLAIM);
        let reserve = |in_hand| (in_hand <= low_water).then(|| in_hand + free(in_hand));
        self.in_hand.fetch_update(SeqCst, SeqCst, reserve).map_or(0, free)
    }

    /// Reserved room that stayed free.
    fn give_back(&self, jobs: usize) {
        if jobs > 0 && self.in_hand.fetch_sub(jobs, SeqCst) - jobs <= self.low_water.load(SeqCst) {
            self.notify();
        }
    }

    /// How many of those may be of that queue.
    pub(crate) fn free_in(&self, queue: &str, free: usize) -> usize {
        let limit = self.limit(self.lane(queue));
        limit.map_or(free, |limit| {
            limit.most.load(SeqCst).saturating_sub(limit.in_hand.load(SeqCst)).min(free)
        })
    }

    /// Whether any queue has a limit now.
    pub(crate) fn has_limits(&self) -> bool {
        self.limits.iter().any(|(_, limit)| limit.most.load(SeqCst) != UNLIMITED)
    }

    /// Returns once a claim may pay.
    pub(crate) async fn freed(&self) {
        self.changed.notified().await;
    }

    /// The same for a second session that claims.
    pub(crate) async fn freed_for_second(&self) {
        self.changed_for_second.notified().await;
    }

    fn notify(&self) {
        self.changed.notify_one();
        self.changed_for_second.notify_one();
    }

    /// Returns once a job of a limited queue has left.
    pub(crate) async fn limit_freed(&self) {
        self.limit_changed.notified().await;
    }

    /// A job of that lane fills room that was reserved.
    fn took(&self, lane: Lane) {
        if let Some(limit) = self.limit(lane) {
            limit.in_hand.fetch_add(1, SeqCst);
        }
    }

    /// One job of that lane has left the runner's hands.
    pub(crate) fn left(&self, lane: Lane) {
        if let Some(limit) = self.limit(lane) {
            limit.in_hand.fetch_sub(1, SeqCst);
            if limit.most.load(SeqCst) != UNLIMITED {
                self.limit_changed.notify_one();
            }
        }
        if self.in_hand.fetch_sub(1, SeqCst) - 1 <= self.low_water.load(SeqCst) {
            self.notify();
        }
    }

    /// Claims nothing until [`open`](Self::open): a job has the runner to itself, or waits for that.
    fn close(&self) {
        self.closed.fetch_add(1, SeqCst);
    }

    fn open(&self) {
        self.closed.fetch_sub(1, SeqCst);
        self.notify();
    }

    /// Jobs wait in hand although they should have begun long ago: prefetches nothing until handlers are
    /// measured to be quick again.
    pub(crate) fn stalled(&self) {
        let too_slow = PREFETCH_WORK.as_nanos() * self.slots as u128 + 1;
        self.handler_nanos.store(u64::try_from(too_slow).unwrap_or(u64::MAX), Relaxed);
    }

    /// One job has left its slot after that time.
    pub(crate) fn ended(&self, lane: Lane, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(1);
        let mean = self.handler_nanos.load(Relaxed);
        // A lost update between two threads costs a sample of an average, nothing else.
        let next = if mean == 0 { nanos } else { mean - mean / 16 + nanos / 16 };
        self.handler_nanos.store(next.max(1), Relaxed);
        self.left(lane);
    }

    fn prefetch(&self) -> usize {
        let mean = u128::from(self.handler_nanos.load(Relaxed));
        if mean == 0 {
            return 0;
        }
        let worth = self.slots as u128 * PREFETCH_WORK.as_nanos() / mean;
        usize::try_from(worth).unwrap_or(MAX_PREFETCH).min(MAX_PREFETCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room() -> Room {
        let queues = ["q", "narrow"].map(str::to_owned);
        Room::new(10, &queues, &HashMap::from([("narrow".to_owned(), 2)]))
    }

    #[test]
    fn prefetches_fifty_milliseconds_of_work_and_no_more() {
        assert_eq!(room().reserve(), 10, "nothing is prefetched before anything was measured");
        for (handler, prefetch) in [(1, 990), (2_000, 250), (100_000, 5), (2_000_000, 0)] {
            let room = room();
            room.in_hand.fetch_add(1, SeqCst);
            room.ended(room.lane("q"), Duration::from_micros(handler));
            assert_eq!(room.reserve(), 10 + prefetch, "handlers of {handler} us");
            room.give_back(10 + prefetch);
            room.stalled();
            assert_eq!(room.reserve(), 10);
        }
    }

    #[test]
    fn claims_again_when_half_of_the_prefetch_is_gone() {
        let room = room();
        room.in_hand.fetch_add(1, SeqCst);
        room.ended(room.lane("q"), Duration::from_millis(10)); // 50 are prefetched
        assert_eq!(room.reserve(), 60);
        for _ in 0..25 {
            assert_eq!(room.reserve(), 0);
            room.left(room.lane("q"));
        }
        room.left(room.lane("q"));
        assert_eq!(room.reserve(), 26);
        room.give_back(26);
        room.close();
        assert_eq!(room.reserve(), 0);
    }

    #[test]
    fn two_sessions_never_reserve_the_same_room() {
        let room = room();
        room.in_hand.fetch_add(1, SeqCst);
        room.ended(room.lane("q"), Duration::from_micros(1));
        let reserved = [room.reserve(), room.reserve(), room.reserve()];
        assert_eq!(reserved, [MAX_CLAIM, MAX_PREFETCH + 10 - MAX_CLAIM, 0]);
    }

    #[test]
    fn a_limited_queue_has_no_more_in_hand_than_its_limit() {
        let room = room();
        assert_eq!(room.reserve(), 10);
        room.took(room.lane("narrow"));
        assert_eq!((room.free_in("narrow", 9), room.free_in("q", 9)), (1, 9));
        room.took(room.lane("narrow"));
        assert_eq!(room.free_in("narrow", 8), 0);
        room.left(room.lane("narrow"));
        assert_eq!(room.free_in("narrow", 9), 1);
    }

    #[test]
    fn a_limit_set_while_running_counts_what_is_in_hand_already() {
        let room = room();
        (0..3).for_each(|_| room.took(room.lane("q")));
        room.set_limits(&["q".to_owned(), "narrow".to_owned()], &[4, 1]);
        assert_eq!((room.free_in("q", 9), room.free_in("narrow", 9)), (1, 1));
        room.set_limits(&[], &[]);
        assert_eq!((room.free_in("q", 9), room.free_in("narrow", 9)), (9, 2), "as the runner was set");
    }
}
