use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pgq_core::Outcome;
use uuid::Uuid;

/// How long outcomes of a lease that is not whole yet may wait: a lease that ends soon is settled by deleting
/// its row, which is cheaper than rewriting it for every part.
const PARTIAL_AFTER: Duration = Duration::from_millis(10);

/// The leases this runner holds, and which of their jobs have ended.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<HashMap<Uuid, Held>>);

struct Held {
    size: usize,
    ended: usize,
    done: Vec<u8>,
    /// How many of those the next flush records.
    unflushed: usize,
    /// What the next flush must record beside the bits.
    remains: Vec<Remains>,
    /// What flushes before it recorded.
    recorded: Vec<Remains>,
    /// The queue, once a job has completed.
    completed_queue: Option<Arc<str>>,
    /// Since when something waits to be flushed.
    waiting_since: Option<Instant>,
}

/// The end of one job.
pub(crate) struct Ended {
    pub(crate) lease: Uuid,
    pub(crate) position: usize,
    pub(crate) queue: Arc<str>,
    pub(crate) outcome: Outcome,
    /// The job completed, and the row of it stays, or rows of it must go.
    pub(crate) afterlife: Afterlife,
}

/// What a completed job leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Afterlife {
    /// Nothing.
    None,
    /// A body or a history to delete.
    Leftovers,
    /// Its row among the finished.
    Kept,
}

/// An outcome that needs more than its bit.
#[derive(Debug, Clone)]
pub(crate) struct Remains {
    pub(crate) position: usize,
    pub(crate) queue: Arc<str>,
    pub(crate) outcome: Outcome,
    pub(crate) afterlife: Afterlife,
}

/// A lease with outcomes to record.
#[derive(Debug, Clone)]
pub(crate) struct Flush {
    pub(crate) lease: Uuid,
    pub(crate) done: Vec<u8>,
    /// How many jobs have ended since the last flush.
    pub(crate) ends: usize,
    /// All of its jobs have ended.
    pub(crate) whole: bool,
    pub(crate) remains: Vec<Remains>,
    /// What was recorded before. It is said again, since a crash of the server may have undone it: bits without it would
    /// lose its jobs. What is still recorded does not change by it.
    pub(crate) again: Vec<Remains>,
    /// The queue of the lease, if a job of it has completed since the last flush.
    pub(crate) completed_queue: Option<Arc<str>>,
}

impl Flush {
    /// What is to be said beside the bits.
    pub(crate) fn outcomes(&self) -> impl Iterator<Item = &Remains> {
        self.again.iter().chain(&self.remains)
    }

    /// Its row can be deleted and nothing else needs to be written.
    pub(crate) fn is_plain(&self) -> bool {
        self.whole && self.remains.is_empty() && self.again.is_empty()
    }
}

impl Ledger {
    pub(crate) fn add(&self, lease: Uuid, size: usize) {
        let held = Held {
            size,
            ended: 0,
            unflushed: 0,
            done: vec![0; size.div_ceil(8)],
            remains: Vec::new(),
            recorded: Vec::new(),
            completed_queue: None,
            waiting_since: None,
        };
        self.lock().insert(lease, held);
    }

    pub(crate) fn holds(&self, lease: Uuid) -> bool {
        self.lock().contains_key(&lease)
    }

    /// Notes ends. Those of leases that were lost meanwhile are dropped: which leases these were, one for each end.
    pub(crate) fn note(&self, ends: impl Iterator<Item = Ended>, now: Instant) -> Vec<Uuid> {
        let mut leases = self.lock();
        let mut lost = Vec::new();
        for end in ends {
            match leases.get_mut(&end.lease) {
                Some(held) => held.note(end, now),
                None => lost.push(end.lease),
            }
        }
        lost
    }

    /// What to flush now: leases that are whole, and others whose outcomes have waited long enough. Also when
    /// the next of those will have.
    pub(crate) fn due(&self, now: Instant, everything: bool) -> (Vec<Flush>, Option<Instant>) {
        let mut flushes = Vec::new();
        let mut next: Option<Instant> = None;
        for (lease, held) in self.lock().iter_mut() {
            let Some(since) = held.waiting_since else { continue };
            if everything || held.ended == held.size || since + PARTIAL_AFTER <= now {
                flushes.push(held.flush(*lease));
            } else {
                next = next.into_iter().chain([since + PARTIAL_AFTER]).min();
            }
        }
        (flushes, next)
    }

    /// A flush was recorded, or its lease was lost: whole leases leave.
    pub(crate) fn forget(&self, lease: Uuid) {
        self.lock().remove(&lease);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Held>> {
        // Nothing in here can panic half-way, so a poisoned ledger is a whole one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn note(&mut self, end: Ended, now: Instant) {
        self.done[end.position / 8] |= 1 << (end.position % 8);
        self.ended += 1;
        self.unflushed += 1;
        self.waiting_since.get_or_insert(now);
        if end.outcome == Outcome::Complete {
            self.completed_queue.get_or_insert_with(|| end.queue.clone());
        }
        if end.outcome != Outcome::Complete || end.afterlife != Afterlife::None {
            let Ended { position, queue, outcome, afterlife, .. } = end;
            self.remains.push(Remains { position, queue, outcome, afterlife });
        }
    }

    fn flush(&mut self, lease: Uuid) -> Flush {
        self.waiting_since = None;
        let remains = std::mem::take(&mut self.remains);
        let again = self.recorded.clone();
        self.recorded.extend(remains.iter().cloned());
        Flush {
            lease,
            done: self.done.clone(),
            ends: std::mem::take(&mut self.unflushed),
            whole: self.ended == self.size,
            remains,
            again,
            completed_queue: self.completed_queue.take(),
        }
    }
}

impl Flush {
    /// The bits of what completed plainly, without those of outcomes that need more.
    pub(crate) fn plain_part(&self) -> Flush {
        let mut plain = Flush { whole: false, remains: Vec::new(), ..self.clone() };
        for remains in &self.remains {
            plain.done[remains.position / 8] &= !(1 << (remains.position % 8));
        }
        plain
    }

    /// This part and one outcome more.
    pub(crate) fn with(&self, remains: &Remains) -> Flush {
        let mut part = Flush { remains: vec![remains.clone()], ..self.clone() };
        part.done[remains.position / 8] |= 1 << (remains.position % 8);
        part
    }
}
