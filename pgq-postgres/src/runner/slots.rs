use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::batch::Claimed;

/// The slots of a runner, and the claimed jobs that wait for one, in their order.
pub(crate) struct Slots {
    most: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    at_work: usize,
    /// None waits while a slot is free.
    waiting: VecDeque<Claimed>,
}

/// One slot at work. It is free again when this is dropped.
pub(crate) struct Slot {
    slots: Arc<Slots>,
    free: bool,
}

impl Slots {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, state: Mutex::default() }
    }

    /// Slots for the first of these jobs, as far as any are free. The rest waits until one at work comes for it, so that
    /// the first slot that begins finds work enough already.
    pub(crate) fn take_or_wait(self: &Arc<Self>, mut jobs: Vec<Claimed>) -> Vec<(Slot, Claimed)> {
        let mut state = self.lock();
        let free = (self.most - state.at_work).min(jobs.len());
        state.waiting.extend(jobs.drain(free..));
        state.at_work += free;
        jobs.into_iter().map(|job| (Slot { slots: self.clone(), free: false }, job)).collect()
    }

    /// When the job was claimed that has waited longest.
    pub(crate) fn waits_since(&self) -> Option<Instant> {
        self.lock().waiting.front().map(|job| job.lease.claimed_at)
    }

    /// All that waits.
    pub(crate) fn withdraw(&self) -> VecDeque<Claimed> {
        std::mem::take(&mut self.lock().waiting)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic half-way, so a poisoned state is a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// The job that has waited longest. If none waits the slot is free, in the same step: a job that comes then finds it so.
    pub(crate) fn next(&mut self) -> Option<Claimed> {
        let mut state = self.slots.lock();
        let next = state.waiting.pop_front();
        if next.is_none() {
            state.at_work -= 1;
            self.free = true;
        }
        next
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if !self.free {
            self.slots.lock().at_work -= 1;
        }
    }
}
