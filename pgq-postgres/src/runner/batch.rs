use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use pgq_core::{Attempt, HeldWhile, JobId, JobOptions, Trace};
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use uuid::Uuid;

use super::floor::{Place, START};
use super::shared::{KnownKind, Shared};
use crate::meter::{Dues, Waited};
use crate::packed::{Body, Packed};
use crate::time::Timestamp;

/// A claimed job on its way to a slot.
pub(crate) struct Claimed {
    pub(crate) lease: Uuid,
    pub(crate) position: usize,
    pub(crate) priority: i16,
    /// How to run it; taken when it does.
    pub(crate) kind: Option<Arc<KnownKind>>,
    pub(crate) attempt: Attempt,
    pub(crate) claimed_at: Instant,
    /// How long it had been due by then.
    pub(crate) waited: Waited,
    /// How many of its runners died while it ran.
    pub(crate) crashes: i16,
    /// Whether completing it leaves rows to delete.
    pub(crate) leftovers: bool,
    /// What wrote the payload.
    pub(crate) version: i16,
    pub(crate) shape: i32,
    pub(crate) payload: Body,
    pub(crate) options: Option<Box<JobOptions>>,
    /// Ends the job when the runner cannot be sure of its lease any more.
    pub(crate) trust: CancellationToken,
}

/// The options of a job; one that a newer program wrote in words unknown here runs by its type's.
fn readable(job: i64, options: serde_json::Value) -> Option<Box<JobOptions>> {
    let read = serde_json::from_value(options);
    read.inspect_err(|error| warn!(job, %error, "the options of a job cannot be read: its type's are used"))
        .ok()
        .map(Box::new)
}

/// The span that a job was enqueued in.
fn trace(options: &mut JobOptions) -> Option<Arc<Trace>> {
    let state = options.trace_state.take();
    options.trace.take().map(|parent| Arc::new(Trace { parent, state }))
}

/// One lease as the claim returns it: the n-th elements are the n-th job.
pub(crate) struct Batch {
    pub(crate) lease: Uuid,
    ids: Vec<i64>,
    enqueued_ats: Vec<Timestamp>,
    shapes: Vec<i32>,
    priorities: Vec<i16>,
    versions: Vec<i16>,
    attempts: Vec<i16>,
    max_attempts: Vec<i16>,
    crashes: Vec<i16>,
    queues: Packed,
    kinds: Packed,
    payloads: Packed,
    options: Vec<Option<Json<serde_json::Value>>>,
}

impl Batch {
    pub(crate) fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            lease: row.try_get("id")?,
            ids: row.try_get("ids")?,
            enqueued_ats: row.try_get("enqueued_ats")?,
            shapes: row.try_get("shapes")?,
            priorities: row.try_get("priorities")?,
            versions: row.try_get("versions")?,
            attempts: row.try_get("attempts")?,
            max_attempts: row.try_get("max_attempts")?,
            crashes: row.try_get("crashes")?,
            queues: row.try_get("queues")?,
            kinds: row.try_get("kinds")?,
            payloads: row.try_get("payloads")?,
            options: row.try_get("options")?,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// What says when its jobs were due.
    pub(crate) fn enqueued(&self) -> (Uuid, &[Timestamp], &[i16]) {
        (self.lease, &self.enqueued_ats, &self.attempts)
    }

    pub(crate) fn large(&self) -> impl Iterator<Item = i64> {
        (0..self.payloads.len()).filter(|n| self.payloads.get(*n).is_none()).map(|n| self.ids[n])
    }

    /// Jobs whose keys others may have once they begin.
    pub(crate) fn held_while_queued(&self) -> impl Iterator<Item = i64> {
        let held = |n: &usize| self.held_while(*n).is_some_and(|held| held == HeldWhile::Queued.as_str());
        (0..self.ids.len()).filter(held).map(|n| self.ids[n])
    }

    /// How long the n-th job holds the key of a unique job, in the database's words; none if it holds none.
    fn held_while(&self, n: usize) -> Option<&serde_json::Value> {
        self.options[n].as_ref().and_then(|Json(options)| options.get("held_while"))
    }

    /// The last place of each queue.
    pub(crate) fn reached(&self) -> HashMap<&str, Place> {
        let mut reached = HashMap::new();
        for n in 0..self.ids.len() {
            let place = (self.priorities[n], self.ids[n]);
            let last = reached.entry(self.queues.text(n)).or_insert(START);
            *last = place.max(*last);
        }
        reached
    }

    /// The n-th job.
    pub(crate) fn job(
        &self,
        n: usize,
        shared: &Shared,
        queues: &[Arc<str>],
        bodies: &mut HashMap<i64, Vec<u8>>,
        now: Now<'_>,
    ) -> Claimed {
        let id = self.ids[n];
        let queue = queues.iter().find(|known| ***known == *self.queues.text(n)).cloned();
        let mut attempt = Attempt::first(JobId(id), queue.unwrap_or_default());
        attempt.number = self.attempts[n].saturating_add(1);
        attempt.max = self.max_attempts[n];
        attempt.enqueued_at = self.enqueued_ats[n].0;
        let mut options = self.options[n].as_ref().and_then(|Json(options)| readable(id, options.clone()));
        attempt.trace = options.as_deref_mut().and_then(trace);
        let inline = self.payloads.body(n);
        Claimed {
            lease: self.lease,
            position: n,
            priority: self.priorities[n],
            kind: shared.kinds.by_name.get(self.kinds.text(n)).cloned(),
            attempt,
            claimed_at: now.at,
            waited: now.dues.waited(self.lease, n, self.enqueued_ats[n].0),
            crashes: self.crashes[n],
            leftovers: inline.is_none() || self.attempts[n] > 0 || self.held_while(n).is_some(),
            version: self.versions[n],
            shape: self.shapes[n],
            payload: inline.or_else(|| bodies.remove(&id).map(Body::from)).unwrap_or_default(),
            options,
            trust: now.trust.clone(),
        }
    }
}

/// The moment of a claim, the trust it was made on, and when its jobs were due.
#[derive(Clone, Copy)]
pub(crate) struct Now<'a> {
    pub(crate) at: Instant,
    pub(crate) trust: &'a CancellationToken,
    pub(crate) dues: &'a Dues,
}
