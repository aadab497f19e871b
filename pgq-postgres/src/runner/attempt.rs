use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use futures_util::FutureExt;
use pgq_core::{JobResult, Outcome, Run, Stored, decide};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::batch::Claimed;
use super::ledger::{Afterlife, Ended};
use super::shared::Shared;
use super::{span, suspect};
use crate::context::{Extension, InRunner};

/// Runs one attempt to its end, whatever the handler does. No outcome: the handler itself has completed the job.
pub(crate) async fn attempt(shared: &Arc<Shared>, job: &mut Claimed) -> Option<Outcome> {
    let attempting = job
        .lease
        .kind
        .as_ref()
        .map(|kind| kind.meter.begin(&job.lease.queue, job.waited, job.lease.claimed_at));
    let outcome = decided(shared, job).await;
    span::ended(outcome.as_ref());
    if let Some(attempting) = attempting {
        attempting.ended(outcome.as_ref());
    }
    outcome
}

async fn decided(shared: &Arc<Shared>, job: &mut Claimed) -> Option<Outcome> {
    let lease = job.lease.clone();
    let Some(kind) = &lease.kind else {
        // It is not ours to fail.
        return Some(Outcome::Release);
    };
    // Boxed, since few jobs need it and all are moved about with room for it.
    if lease.crashes > 0 && !Box::pin(suspect::begin(shared, lease.id)).await {
        return Some(Outcome::Release);
    }
    let options = job.options.take();
    let limit =
        options.as_ref().and_then(|options| options.timeout()).or(kind.timeout).or(shared.settings.timeout);
    let payload = std::mem::take(&mut job.payload);
    let stored = Stored::new(lease.version, lease.shape, payload.as_bytes());
    let (_entry, cancellation) = shared.running.enter(job.id);
    let extension = Arc::new(Extension::InRunner(InRunner {
        shared: shared.clone(),
        lease: lease.id,
        transactional: kind.transactional,
        completed: AtomicBool::new(false),
    }));
    let run =
        Run { attempt: job.attempt(), cancellation: cancellation.clone(), runner: Some(extension.clone()) };
    let caught = AssertUnwindSafe(kind.handler.handle(stored, run)).catch_unwind();
    let result = tokio::select! {
        biased;
        result = bounded(caught, limit, &cancellation, shared.settings.cancel_grace) => Some(result),
        // Others may take the job from now on: it must not go on here.
        () = lease.trust.cancelled() => None,
        () = overdue(shared, &cancellation) => None,
    };
    if extension.is_completed() {
        return None;
    }
    let Some(result) = result else { return Some(Outcome::Release) };
    let result =
        result.unwrap_or_else(|panic| Err(format!("the handler panicked: {}", panic_text(&*panic)).into()));
    let retry = options.as_ref().and_then(|options| options.retry.as_ref()).unwrap_or(&kind.retry);
    let outcome = decide(result, job.number, job.max_attempts, retry, fastrand::f64());
    debug!(id = job.id, kind = kind.name, queue = %lease.queue, attempt = job.number, ?outcome, "ended");
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

/// The end of that job, as it is settled.
pub(crate) fn ended(shared: &Shared, job: &Claimed, outcome: Outcome) -> Ended {
    let afterlife = match outcome {
        Outcome::Complete if shared.settings.keep_completed.is_some() => Afterlife::Kept,
        Outcome::Complete if job.leftovers => Afterlife::Leftovers,
        _ => Afterlife::None,
    };
    Ended { lease: job.lease.id, position: job.position, queue: job.lease.queue.clone(), outcome, afterlife }
}
