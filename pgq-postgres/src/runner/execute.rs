use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use pgq_core::{JobResult, Outcome, Run, Stored, decide};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, debug, warn};

use super::batch::Claimed;
use super::handle::add;
use super::ledger::{Afterlife, Ended};
use super::room::ClosedRoom;
use super::settle::ToSettle;
use super::shared::Shared;
use super::span;
use super::suspect::{self, ALONE_FROM};
use crate::context::{Extension, InRunner};

/// How long after its claim a job may wait for a slot. One that waits longer was prefetched because handlers were
/// taken for quicker than they are; another runner may have a slot.
const SLOT_PATIENCE: Duration = Duration::from_millis(150);

/// Performs claimed jobs, as many at a time as there are slots. Ends when the claimer has ended and every job
/// that was handed over has.
pub(crate) async fn execute(
    shared: Arc<Shared>,
    mut claimed: UnboundedReceiver<Claimed>,
    ends: UnboundedSender<ToSettle>,
) {
    let slots = Arc::new(Semaphore::new(shared.settings.slots));
    let mut running = JoinSet::new();
    while let Some(job) = claimed.recv().await {
        while running.try_join_next().is_some() {}
        let slot = if job.crashes >= ALONE_FROM {
            all_slots(&shared, &slots, &job, &mut claimed, &ends).await
        } else {
            free_slot(&shared, &slots, &job).await
        };
        match slot {
            Slot::Free(slot) => {
                let span = span::of(&shared, &job);
                let work = perform(shared.clone(), job, slot, ends.clone());
                // A job that nobody watches is not made larger by a span.
                if span.is_disabled() {
                    running.spawn(work)
                } else {
                    running.spawn(work.instrument(span))
                };
            }
            Slot::None => give_back(&shared, job, &ends),
            Slot::Stalled => {
                shared.room.stalled();
                give_back(&shared, job, &ends);
                while let Ok(job) = claimed.try_recv() {
                    give_back(&shared, job, &ends);
                }
            }
        }
    }
    while running.join_next().await.is_some() {}
}

enum Slot {
    Free(Place),
    /// The runner stops, or has lost its leases.
    None,
    /// No slot in good time.
    Stalled,
}

/// Where a job runs, until this is dropped.
struct Place {
    _slots: OwnedSemaphorePermit,
    /// Nothing else is claimed.
    _alone: Option<ClosedRoom>,
}

impl Slot {
    fn free(slots: OwnedSemaphorePermit) -> Self {
        Self::Free(Place { _slots: slots, _alone: None })
    }
}

async fn free_slot(shared: &Shared, slots: &Arc<Semaphore>, job: &Claimed) -> Slot {
    if shared.stopping() || job.trust.is_cancelled() {
        return Slot::None;
    }
    if let Ok(slot) = slots.clone().try_acquire_owned() {
        return Slot::free(slot);
    }
    tokio::select! {
        slot = slots.clone().acquire_owned() => slot.map_or(Slot::None, Slot::free),
        () = shared.handle.stop.cancelled() => Slot::None,
        () = job.trust.cancelled() => Slot::None,
        () = sleep_until((job.claimed_at + SLOT_PATIENCE).into()) => Slot::Stalled,
    }
}

/// The whole runner for that job, which was aboard several crashes: waits until nothing else runs. Nothing is
/// claimed from now until it has ended; what was claimed before goes to other runners if that takes long.
async fn all_slots(
    shared: &Arc<Shared>,
    slots: &Arc<Semaphore>,
    job: &Claimed,
    claimed: &mut UnboundedReceiver<Claimed>,
    ends: &UnboundedSender<ToSettle>,
) -> Slot {
    if shared.stopping() || job.trust.is_cancelled() {
        return Slot::None;
    }
    let closed = ClosedRoom::of(shared);
    let alone = suspect::alone(shared, slots, ends);
    let patience = sleep_until((job.claimed_at + SLOT_PATIENCE).into());
    tokio::pin!(alone, patience);
    let mut crowded = false;
    loop {
        tokio::select! {
            slots = &mut alone => return match slots {
                Some(slots) => Slot::Free(Place { _slots: slots, _alone: Some(closed) }),
                None => Slot::None,
            },
            () = shared.handle.stop.cancelled() => return Slot::None,
            () = job.trust.cancelled() => return Slot::None,
            () = &mut patience, if !crowded => crowded = true,
            Some(other) = claimed.recv(), if crowded => give_back(shared, other, ends),
        }
    }
}

fn give_back(shared: &Shared, job: Claimed, ends: &UnboundedSender<ToSettle>) {
    let queue = job.attempt.queue.clone();
    if let Some(kind) = &job.kind {
        kind.meter.released(&queue);
    }
    end(shared, job, Outcome::Release, ends);
    shared.room.left(&queue);
}

async fn perform(shared: Arc<Shared>, mut job: Claimed, slot: Place, ends: UnboundedSender<ToSettle>) {
    let started = Instant::now();
    let queue = job.attempt.queue.clone();
    match attempt(&shared, &mut job).await {
        Some(outcome) => end(&shared, job, outcome, &ends),
        None => {
            add(&shared.counts().completed, 1);
            shared.tally.completed(&queue);
            shared.ledger.forget(job.lease);
        }
    }
    drop(slot);
    shared.room.ended(&queue, started.elapsed());
}

/// Runs one attempt to its end, whatever the handler does. No outcome: the handler itself has completed the job.
pub(crate) async fn attempt(shared: &Arc<Shared>, job: &mut Claimed) -> Option<Outcome> {
    let attempting =
        job.kind.as_ref().map(|kind| kind.meter.begin(&job.attempt.queue, job.waited, job.claimed_at));
    let outcome = decided(shared, job).await;
    span::ended(outcome.as_ref());
    if let Some(attempting) = attempting {
        attempting.ended(outcome.as_ref());
    }
    outcome
}

async fn decided(shared: &Arc<Shared>, job: &mut Claimed) -> Option<Outcome> {
    let Some(kind) = job.kind.take() else {
        // Claims name the kinds this runner knows; were another to slip through, it is not ours to fail.
        return Some(Outcome::Release);
    };
    // Boxed, since few jobs need it and all are moved about with room for it.
    if job.crashes > 0 && !Box::pin(suspect::begin(shared, job.lease)).await {
        return Some(Outcome::Release);
    }
    let options = job.options.take();
    let limit =
        options.as_ref().and_then(|options| options.timeout()).or(kind.timeout).or(shared.settings.timeout);
    let payload = std::mem::take(&mut job.payload);
    let stored = Stored::new(job.version, job.shape, payload.as_bytes());
    let (_entry, cancellation) = shared.running.enter(job.attempt.id.0);
    let extension = Arc::new(Extension::InRunner(InRunner {
        shared: shared.clone(),
        lease: job.lease,
        transactional: kind.transactional,
        completed: AtomicBool::new(false),
    }));
    let run = Run {
        attempt: job.attempt.clone(),
        cancellation: cancellation.clone(),
        runner: Some(extension.clone()),
    };
    let caught = AssertUnwindSafe(kind.handler.handle(stored, run)).catch_unwind();
    let result = tokio::select! {
        biased;
        result = bounded(caught, limit, &cancellation, shared.settings.cancel_grace) => Some(result),
        // Others may take the job from now on: it must not go on here.
        () = job.trust.cancelled() => None,
        () = overdue(shared, &cancellation) => None,
    };
    if extension.is_completed() {
        return None;
    }
    let Some(result) = result else { return Some(Outcome::Release) };
    let result =
        result.unwrap_or_else(|panic| Err(format!("the handler panicked: {}", panic_text(&*panic)).into()));
    let retry = options.as_ref().and_then(|options| options.retry.as_ref()).unwrap_or(&kind.retry);
    let outcome = decide(result, job.attempt.number, job.attempt.max, retry, fastrand::f64());
    debug!(id = %job.attempt.id, kind = kind.name, queue = %job.attempt.queue, attempt = job.attempt.number, ?outcome, "ended");
    Some(outcome)
}

type Caught = Result<JobResult, Box<dyn std::any::Any + Send>>;

/// The handler within its limit, if it has one. What few jobs need is boxed: every job is moved about with room for it.
async fn bounded(
    handler: impl Future<Output = Caught> + Send,
    limit: Option<Duration>,
    cancellation: &CancellationToken,
    grace: Duration,
) -> Caught {
    match limit {
        None => handler.await,
        Some(limit) => Box::pin(limited(handler, limit, cancellation, grace)).await,
    }
}

/// Cancels the attempt when its time is over, and drops it if it does not return soon after. A handler that
/// returns in that time has its own word; one that is dropped has failed.
async fn limited(
    handler: impl Future<Output = Caught>,
    limit: Duration,
    cancellation: &CancellationToken,
    grace: Duration,
) -> Caught {
    tokio::pin!(handler);
    if let Ok(result) = timeout(limit, &mut handler).await {
        return result;
    }
    cancellation.cancel();
    match timeout(grace, &mut handler).await {
        Ok(result) => result,
        Err(_) => Ok(Err(format!("timed out after {limit:?}").into())),
    }
}

/// Returns when a cancelled handler has had its time to return.
async fn overdue(shared: &Shared, cancellation: &CancellationToken) {
    cancellation.cancelled().await;
    let grace = Box::pin(sleep(shared.settings.cancel_grace));
    tokio::select! {
        () = grace => {}
        () = shared.handle.stop_now.cancelled() => {}
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}

fn end(shared: &Shared, job: Claimed, outcome: Outcome, ends: &UnboundedSender<ToSettle>) {
    let id = job.attempt.id;
    if ends.send(ToSettle::Ended(ended(shared, job, outcome))).is_err() {
        // The settling part outlives every slot; were it gone, a rescuer would find the lease.
        warn!(%id, "the end of a job could not be settled");
    }
}

/// The end of that job, as it is settled.
pub(crate) fn ended(shared: &Shared, job: Claimed, outcome: Outcome) -> Ended {
    let afterlife = match outcome {
        Outcome::Complete if shared.settings.keep_completed.is_some() => Afterlife::Kept,
        Outcome::Complete if job.leftovers => Afterlife::Leftovers,
        _ => Afterlife::None,
    };
    Ended { lease: job.lease, position: job.position, queue: job.attempt.queue, outcome, afterlife }
}
