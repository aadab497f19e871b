use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::time::Duration;

use tokio::sync::Notify;

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
    changed: Notify,
}

impl Room {
    pub(crate) fn new(slots: usize) -> Self {
        Self {
            slots,
            in_hand: AtomicUsize::new(0),
            low_water: AtomicUsize::new(slots - 1),
            handler_nanos: AtomicU64::new(0),
            changed: Notify::new(),
        }
    }

    /// How many jobs to claim now; 0 while enough are in hand.
    pub(crate) fn free(&self) -> usize {
        let prefetch = self.prefetch();
        self.low_water.store(self.slots - 1 + prefetch / 2, SeqCst);
        let in_hand = self.in_hand.load(SeqCst);
        if in_hand > self.slots - 1 + prefetch / 2 { 0 } else { self.slots + prefetch - in_hand }
    }

    /// Returns once a claim may pay.
    pub(crate) async fn freed(&self) {
        self.changed.notified().await;
    }

    pub(crate) fn took(&self, jobs: usize) {
        self.in_hand.fetch_add(jobs, SeqCst);
    }

    /// One job has left the runner's hands without running.
    pub(crate) fn left(&self) {
        if self.in_hand.fetch_sub(1, SeqCst) - 1 <= self.low_water.load(SeqCst) {
            self.changed.notify_one();
        }
    }

    /// One job has left its slot after that time.
    pub(crate) fn ended(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(1);
        let mean = self.handler_nanos.load(Relaxed);
        // A lost update between two threads costs a sample of an average, nothing else.
        let next = if mean == 0 { nanos } else { mean - mean / 16 + nanos / 16 };
        self.handler_nanos.store(next.max(1), Relaxed);
        self.left();
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

    #[test]
    fn prefetches_fifty_milliseconds_of_work_and_no_more() {
        let room = Room::new(10);
        assert_eq!(room.free(), 10, "nothing is prefetched before anything was measured");
        for (handler, prefetch) in [(1, 1000), (2_000, 250), (100_000, 5), (2_000_000, 0)] {
            let room = Room::new(10);
            room.took(1);
            room.ended(Duration::from_micros(handler));
            assert_eq!(room.free(), 10 + prefetch, "handlers of {handler} us");
        }
    }

    #[test]
    fn claims_again_when_half_of_the_prefetch_is_gone() {
        let room = Room::new(10);
        room.took(1);
        room.ended(Duration::from_millis(10)); // 50 are prefetched
        room.took(60);
        for _ in 0..25 {
            assert_eq!(room.free(), 0);
            room.left();
        }
        room.left();
        assert_eq!(room.free(), 26);
    }
}
