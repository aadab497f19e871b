use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use pgq_core::{JobError, JobResult, Outcome, decide};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::claim::Claimed;
use super::ledger::{Afterlife, Ended};
use super::settings::CANCEL_GRACE;
use super::shared::{KnownKind, Shared};

/// Performs claimed jobs, as many at a time as there are slots. Ends when the claimer has ended and every job
/// that was handed over has.
pub(crate) async fn execute(
    shared: Arc<Shared>,
    mut claimed: UnboundedReceiver<Claimed>,
    ends: UnboundedSender<Ended>,
) {
    let slots = Arc::new(Semaphore::new(shared.settings.slots));
    let running = TaskTracker::new();
    while let Some(job) = claimed.recv().await {
        match free_slot(&shared, &slots, &job).await {
            Some(slot) => {
                running.spawn(perform(shared.clone(), job, slot, ends.clone()));
            }
            None => {
                end(&shared, job, Outcome::Release, &ends);
                shared.room.left();
            }
        }
    }
    running.close();
    running.wait().await;
}

/// A slot for that job; none if the runner stops or loses its lease before one is free.
async fn free_slot(shared: &Shared, slots: &Arc<Semaphore>, job: &Claimed) -> Option<OwnedSemaphorePermit> {
    if shared.stopping() || job.trust.is_cancelled() {
        return None;
    }
    if let Ok(slot) = slots.clone().try_acquire_owned() {
        return Some(slot);
    }
    tokio::select! {
        slot = slots.clone().acquire_owned() => slot.ok(),
        () = shared.handle.stop.cancelled() => None,
        () = job.trust.cancelled() => None,
    }
}

async fn perform(
    shared: Arc<Shared>,
    mut job: Claimed,
    slot: OwnedSemaphorePermit,
    ends: UnboundedSender<Ended>,
) {
    let started = Instant::now();
    let outcome = match shared.kinds.by_name.get(&job.kind) {
        Some(kind) => attempt(&shared, kind.clone(), &mut job).await,
        // Claims name the kinds this runner knows; were one to slip through, it is not ours to fail.
        None => Outcome::Release,
    };
    debug!(id = %job.attempt.id, kind = %job.kind, attempt = job.attempt.number, ?outcome, "ended");
    end(&shared, job, outcome, &ends);
    drop(slot);
    shared.room.ended(started.elapsed());
}

/// Runs one attempt to its end, whatever the handler does.
async fn attempt(shared: &Shared, kind: Arc<KnownKind>, job: &mut Claimed) -> Outcome {
    let options = job.options.take().unwrap_or_default();
    let limit = options.timeout().or(kind.timeout).or(shared.settings.timeout);
    let cancellation = shared.cancel.child_token();
    let payload = std::mem::take(&mut job.payload);
    let handler = kind.handler.handle(&payload, job.attempt.clone(), cancellation.clone());
    let caught = AssertUnwindSafe(handler).catch_unwind();
    let bounded = bounded(caught, limit, &cancellation);
    let result = tokio::select! {
        result = bounded => result,
        // Others may take the job from now on: it must not go on here.
        () = job.trust.cancelled() => return Outcome::Release,
        () = overdue(shared) => return Outcome::Release,
    };
    match result {
        Ok(result) => {
            let retry = options.retry.as_ref().unwrap_or(&kind.retry);
            decide(result, job.attempt.number, job.attempt.max, retry, fastrand::f64())
        }
        Err(panic) => {
            let error = JobError::from(format!("the handler panicked: {}", panic_text(&*panic)));
            let retry = options.retry.as_ref().unwrap_or(&kind.retry);
            decide(Err(error), job.attempt.number, job.attempt.max, retry, fastrand::f64())
        }
    }
}

type Caught = Result<JobResult, Box<dyn std::any::Any + Send>>;

/// Cancels the attempt when its time is over, and drops it if it does not return soon after. A handler that
/// returns in that time has its own word; one that is dropped has failed.
async fn bounded(
    handler: impl Future<Output = Caught>,
    limit: Option<Duration>,
    cancellation: &CancellationToken,
) -> Caught {
    tokio::pin!(handler);
    let Some(limit) = limit else { return handler.await };
    if let Ok(result) = timeout(limit, &mut handler).await {
        return result;
    }
    cancellation.cancel();
    match timeout(CANCEL_GRACE, &mut handler).await {
        Ok(result) => result,
        Err(_) => Ok(Err(format!("timed out after {limit:?}").into())),
    }
}

/// Returns when a cancelled handler has had its time to return. Never for a runner that goes on.
async fn overdue(shared: &Shared) {
    shared.cancel.cancelled().await;
    tokio::select! {
        () = sleep(CANCEL_GRACE) => {}
        () = shared.handle.stop_now.cancelled() => {}
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}

fn end(shared: &Shared, job: Claimed, outcome: Outcome, ends: &UnboundedSender<Ended>) {
    let afterlife = match outcome {
        Outcome::Complete if shared.settings.keep_completed.is_some() => Afterlife::Kept,
        Outcome::Complete if job.leftovers => Afterlife::Leftovers,
        _ => Afterlife::None,
    };
    let end = Ended {
        lease: job.lease,
        position: job.position,
        queue: job.attempt.queue.to_string(),
        outcome,
        afterlife,
    };
    if ends.send(end).is_err() {
        // The settling part outlives every slot; were it gone, a rescuer would find the lease.
        warn!(id = %job.attempt.id, "the end of a job could not be settled");
    }
}
