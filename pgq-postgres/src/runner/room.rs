use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::time::Duration;

use tokio::sync::Notify;

use super::shared::Shared;

/// The most jobs that wait in a runner's hands for a slot.
const MAX_PREFETCH: usize = 1000;

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
    limits: HashMap<String, Limit>,
    changed: Notify,
    limit_changed: Notify,
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

/// How many jobs of one queue may be in hand, and how many are.
struct Limit {
    most: usize,
    in_hand: AtomicUsize,
}

impl Room {
    pub(crate) fn new(slots: usize, limits: &HashMap<String, usize>) -> Self {
        let limit = |(queue, most): (&String, &usize)| {
            (queue.clone(), Limit { most: *most, in_hand: AtomicUsize::new(0) })
        };
        Self {
            slots,
            in_hand: AtomicUsize::new(0),
            low_water: AtomicUsize::new(slots - 1),
            handler_nanos: AtomicU64::new(0),
            closed: AtomicUsize::new(0),
            limits: limits.iter().map(limit).collect(),
            changed: Notify::new(),
            limit_changed: Notify::new(),
        }
    }

    /// How many jobs to claim now; 0 while enough are in hand.
    pub(crate) fn free(&self) -> usize {
        let prefetch = self.prefetch();
        self.low_water.store(self.slots - 1 + prefetch / 2, SeqCst);
        let in_hand = self.in_hand.load(SeqCst);
        let closed = self.closed.load(SeqCst) > 0;
        if closed || in_hand > self.slots - 1 + prefetch / 2 { 0 } else { self.slots + prefetch - in_hand }
    }

    /// How many of those may be of that queue.
    pub(crate) fn free_in(&self, queue: &str, free: usize) -> usize {
        let limit = self.limits.get(queue);
        limit.map_or(free, |limit| limit.most.saturating_sub(limit.in_hand.load(SeqCst)).min(free))
    }

    /// Returns once a claim may pay.
    pub(crate) async fn freed(&self) {
        self.changed.notified().await;
    }

    /// Returns once a job of a limited queue has left.
    pub(crate) async fn limit_freed(&self) {
        self.limit_changed.notified().await;
    }

    pub(crate) fn took(&self, queue: &str) {
        self.in_hand.fetch_add(1, SeqCst);
        if let Some(limit) = self.limits.get(queue) {
            limit.in_hand.fetch_add(1, SeqCst);
        }
    }

    /// One job of that queue has left the runner's hands.
    pub(crate) fn left(&self, queue: &str) {
        if let Some(limit) = self.limits.get(queue) {
            limit.in_hand.fetch_sub(1, SeqCst);
            self.limit_changed.notify_one();
        }
        if self.in_hand.fetch_sub(1, SeqCst) - 1 <= self.low_water.load(SeqCst) {
            self.changed.notify_one();
        }
    }

    /// Claims nothing until [`open`](Self::open): a job has the runner to itself, or waits for that.
    fn close(&self) {
        self.closed.fetch_add(1, SeqCst);
    }

    fn open(&self) {
        self.closed.fetch_sub(1, SeqCst);
        self.changed.notify_one();
    }

    /// Jobs wait in hand although they should have begun long ago: prefetches nothing until handlers are
    /// measured to be quick again.
    pub(crate) fn stalled(&self) {
        let too_slow = PREFETCH_WORK.as_nanos() * self.slots as u128 + 1;
        self.handler_nanos.store(u64::try_from(too_slow).unwrap_or(u64::MAX), Relaxed);
    }

    /// One job has left its slot after that time.
    pub(crate) fn ended(&self, queue: &str, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(1);
        let mean = self.handler_nanos.load(Relaxed);
        // A lost update between two threads costs a sample of an average, nothing else.
        let next = if mean == 0 { nanos } else { mean - mean / 16 + nanos / 16 };
        self.handler_nanos.store(next.max(1), Relaxed);
        self.left(queue);
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
        Room::new(10, &HashMap::from([("narrow".to_owned(), 2)]))
    }

    #[test]
    fn prefetches_fifty_milliseconds_of_work_and_no_more() {
        assert_eq!(room().free(), 10, "nothing is prefetched before anything was measured");
        for (handler, prefetch) in [(1, 1000), (2_000, 250), (100_000, 5), (2_000_000, 0)] {
            let room = room();
            room.took("q");
            room.ended("q", Duration::from_micros(handler));
            assert_eq!(room.free(), 10 + prefetch, "handlers of {handler} us");
            room.stalled();
            assert_eq!(room.free(), 10);
        }
    }

    #[test]
    fn claims_again_when_half_of_the_prefetch_is_gone() {
        let room = room();
        room.took("q");
        room.ended("q", Duration::from_millis(10)); // 50 are prefetched
        (0..60).for_each(|_| room.took("q"));
        for _ in 0..25 {
            assert_eq!(room.free(), 0);
            room.left("q");
        }
        room.left("q");
        assert_eq!(room.free(), 26);
        room.close();
        assert_eq!(room.free(), 0);
    }

    #[test]
    fn a_limited_queue_has_no_more_in_hand_than_its_limit() {
        let room = room();
        room.took("narrow");
        assert_eq!((room.free_in("narrow", 9), room.free_in("q", 9)), (1, 9));
        room.took("narrow");
        assert_eq!(room.free_in("narrow", 8), 0);
        room.left("narrow");
        assert_eq!(room.free_in("narrow", 9), 1);
    }
}
