use std::sync::Arc;
use std::time::{Duration, Instant};

use pgq_core::Outcome;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::{JoinSet, consume_budget};
use tokio::time::sleep_until;
use tracing::{Instrument, warn};

use super::attempt::{attempt, ended};
use super::batch::Claimed;
use super::handle::add;
use super::room::ClosedRoom;
use super::settle::ToSettle;
use super::shared::{Shared, until};
use super::slots::{Slot, Slots};
use super::span;
use super::suspect::{self, ALONE_FROM};

/// How long after its claim a job may wait for a slot. One that waits longer was prefetched because handlers were
/// taken for quicker than they are; another runner may have a slot.
const SLOT_PATIENCE: Duration = Duration::from_millis(150);

/// Performs claimed jobs, as many at a time as there are slots. Ends when the claimer has ended and every job
/// that was handed over has.
pub(crate) async fn execute(
    shared: Arc<Shared>,
    claimed: UnboundedReceiver<Vec<Claimed>>,
    ends: UnboundedSender<ToSettle>,
) {
    let slots = Arc::new(Slots::new(shared.settings.slots));
    Executor { hands: Hands { shared, ends }, claimed, slots, tasks: JoinSet::new() }.run().await;
}

struct Executor {
    hands: Hands,
    claimed: UnboundedReceiver<Vec<Claimed>>,
    slots: Arc<Slots>,
    /// One for each slot at work.
    tasks: JoinSet<()>,
}

impl Executor {
    async fn run(mut self) {
        let stop = self.hands.shared.handle.stop.clone();
        loop {
            let stalled_at = self.slots.waits_since().map(|since| since + SLOT_PATIENCE);
            tokio::select! {
                claimed = self.claimed.recv() => match claimed {
                    Some(jobs) => self.start(jobs).await,
                    None => break,
                },
                () = stop.cancelled(), if stalled_at.is_some() => self.give_back_waiting(),
                () = until(stalled_at) => self.look_for_stall(),
            }
            while self.tasks.try_join_next().is_some() {}
        }
        // The claimer ends at a stop only.
        self.give_back_waiting();
        all_ended(&mut self.tasks).await;
    }

    /// Gives these jobs slots, or lets them wait for one.
    async fn start(&mut self, mut jobs: Vec<Claimed>) {
        while let Some(n) = jobs.iter().position(|job| job.lease.crashes >= ALONE_FROM) {
            let mut behind = jobs.split_off(n + 1);
            let suspect = jobs.remove(n);
            self.start_together(jobs);
            self.run_alone(suspect, &mut behind).await;
            jobs = behind;
        }
        self.start_together(jobs);
    }

    fn start_together(&mut self, jobs: Vec<Claimed>) {
        for (slot, job) in self.slots.take_or_wait(jobs) {
            self.tasks.spawn(work(self.hands.clone(), slot, job));
        }
    }

    /// Some job has waited for too long, unless a slot has taken it meanwhile.
    fn look_for_stall(&self) {
        if self.slots.waits_since().is_some_and(|since| since.elapsed() >= SLOT_PATIENCE) {
            self.hands.shared.room.stalled();
            self.give_back_waiting();
        }
    }

    fn give_back_waiting(&self) {
        for job in self.slots.withdraw() {
            self.hands.give_back(job);
        }
    }

    /// The whole runner for that job, which was aboard several crashes. Nothing is claimed until it has ended; what was
    /// claimed before and comes behind it goes to other runners if that takes long.
    async fn run_alone(&mut self, job: Claimed, behind: &mut Vec<Claimed>) {
        let Self { hands, claimed, tasks, .. } = self;
        let closed = ClosedRoom::of(&hands.shared);
        let patience_ends = job.lease.claimed_at + SLOT_PATIENCE;
        let alone = async {
            // What came before it goes first.
            all_ended(tasks).await;
            suspect::all_recorded(&hands.ends).await;
            let hands = hands.clone();
            tasks.spawn(async move { hands.perform(job).await });
            all_ended(tasks).await;
        };
        let crowded = async {
            sleep_until(patience_ends.into()).await;
            behind.drain(..).for_each(|other| hands.give_back(other));
            while let Some(others) = claimed.recv().await {
                others.into_iter().for_each(|other| hands.give_back(other));
            }
            // The claimer has ended; the job has not.
            std::future::pending::<()>().await;
        };
        tokio::select! { () = alone => {} () = crowded => {} }
        drop(closed);
    }
}

/// Every slot at work has ended, and so has all that waited for one.
async fn all_ended(tasks: &mut JoinSet<()>) {
    while tasks.join_next().await.is_some() {}
}

/// A slot at work: that job, and then what waits.
async fn work(hands: Hands, mut slot: Slot, job: Claimed) {
    let mut next = Some(job);
    while let Some(job) = next {
        hands.perform(job).await;
        // Jobs that are over at once leave the thread to others now and then.
        consume_budget().await;
        next = slot.next();
    }
}

/// What a slot needs to have.
#[derive(Clone)]
struct Hands {
    shared: Arc<Shared>,
    ends: UnboundedSender<ToSettle>,
}

impl Hands {
    async fn perform(&self, job: Claimed) {
        // The runner stops, or the lease was lost while the job waited.
        if self.shared.stopping() || job.lease.trust.is_cancelled() {
            return self.give_back(job);
        }
        let span = span::of(&self.shared, &job);
        if span.is_disabled() {
            self.attempt(job).await;
        } else {
            // A job that nobody watches is not made larger by a span.
            Box::pin(self.attempt(job).instrument(span)).await;
        }
    }

    async fn attempt(&self, mut job: Claimed) {
        let started = Instant::now();
        match attempt(&self.shared, &mut job).await {
            Some(outcome) => self.end(&job, outcome),
            None => {
                add(&self.shared.counts().completed, 1);
                self.shared.tally.completed(&job.lease.queue);
                self.shared.ledger.forget(job.lease.id);
            }
        }
        self.shared.room.ended(job.lease.lane, started.elapsed());
    }

    fn give_back(&self, job: Claimed) {
        if let Some(kind) = &job.lease.kind {
            kind.meter.released(&job.lease.queue);
        }
        self.end(&job, Outcome::Release);
        self.shared.room.left(job.lease.lane);
    }

    fn end(&self, job: &Claimed, outcome: Outcome) {
        if self.ends.send(ToSettle::Ended(ended(&self.shared, job, outcome))).is_err() {
            // The settling part outlives every slot; were it gone, a rescuer would find the lease.
            warn!(job = job.id, "the end of a job could not be settled");
        }
    }
}
