//! The runner without its loops, for tests: one job after the other, in the caller's own task.

use std::sync::Arc;

use pgq_core::{JobId, Outcome};
use tokio::sync::mpsc;
use tracing::Instrument;

use super::attempt::{attempt, ended};
use super::batch::Claimed;
use super::claim::Claims;
use super::claimer::Claimer;
use super::handle::add;
use super::settle::Settler;
use super::shared::Shared;
use super::shutdown::leave;
use super::span;
use super::start::Started;
use super::unpark::unpark;
use crate::Error;
use crate::testing::Drained;

/// After so many attempts nobody expects an end.
const MOST_ATTEMPTS: usize = 10_000;

/// Runs all that is due, and leaves.
pub(crate) async fn drain(started: Started) -> Result<Vec<Drained>, Error> {
    let Started { shared, heartbeat, rest } = started;
    let drained = drain_all(&shared).await;
    leave(rest, heartbeat).await;
    drained
}

async fn drain_all(shared: &Arc<Shared>) -> Result<Vec<Drained>, Error> {
    let (to_slots, mut claimed) = mpsc::unbounded_channel();
    let (_, ends) = mpsc::unbounded_channel();
    unpark(shared, &mut shared.session("maintain")).await?;
    let mut claimer = Claimer::new(Claims::first(shared, &Arc::default(), &to_slots));
    let mut settler = Settler::new(shared.clone(), ends);
    let mut drained = Vec::new();
    while claimer.claim_one().await? {
        for job in std::iter::from_fn(|| claimed.try_recv().ok()).flatten() {
            drained.push(drain_one(shared, job, &mut settler).await);
        }
        if drained.len() >= MOST_ATTEMPTS {
            return Err(Error::Setting(format!(
                "{MOST_ATTEMPTS} attempts were made, and jobs are still due: does one of them enqueue itself, or \
                 snooze for no time?"
            )));
        }
    }
    Ok(drained)
}

async fn drain_one(shared: &Arc<Shared>, mut job: Claimed, settler: &mut Settler) -> Drained {
    let kind = job.lease.kind.as_ref().map_or("", |kind| kind.name);
    let span = span::of(shared, &job);
    let outcome = attempt(shared, &mut job).instrument(span).await;
    match &outcome {
        Some(outcome) => settler.end(ended(shared, &job, outcome.clone())).await,
        None => {
            add(&shared.counts().completed, 1);
            shared.ledger.forget(job.lease.id);
        }
    }
    shared.room.left(job.lease.lane);
    Drained { id: JobId(job.id), kind, attempt: job.number, outcome: outcome.unwrap_or(Outcome::Complete) }
}
