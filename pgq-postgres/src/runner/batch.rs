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

use super::room::Lane;
use super::shared::{KnownKind, Shared};
use crate::meter::{Dues, Waited};
use crate::packed::{Body, Packed};
use crate::time::Timestamp;

/// A lease as it was claimed, and what its jobs have in common.
pub(crate) struct Lease {
    pub(crate) id: Uuid,
    pub(crate) queue: Arc<str>,
    pub(crate) lane: Lane,
    pub(crate) priority: i16,
    /// How to run its jobs. Claims name the kinds this runner knows; none if another slipped through.
    pub(crate) kind: Option<Arc<KnownKind>>,
    /// What wrote the payloads.
    pub(crate) version: i16,
    pub(crate) shape: i32,
    /// How many of their runners died while they ran.
    pub(crate) crashes: i16,
    pub(crate) claimed_at: Instant,
    /// Ends the jobs when the runner cannot be sure of the lease any more.
    pub(crate) trust: CancellationToken,
}

/// A claimed job on its way to a slot.
pub(crate) struct Claimed {
    pub(crate) lease: Arc<Lease>,
    pub(crate) position: usize,
    pub(crate) id: i64,
    /// Which attempt begins; 1 is the first.
    pub(crate) number: i16,
    pub(crate) max_attempts: i16,
    pub(crate) enqueued_at: Timestamp,
    /// How long it had been due when it was claimed.
    pub(crate) waited: Waited,
    /// Whether completing it leaves rows to delete.
    pub(crate) leftovers: bool,
    pub(crate) payload: Body,
    pub(crate) options: Option<Box<JobOptions>>,
    pub(crate) trace: Option<Arc<Trace>>,
}

impl Claimed {
    /// What a handler is told.
    pub(crate) fn attempt(&self) -> Attempt {
        let mut attempt = Attempt::first(JobId(self.id), self.lease.queue.clone());
        attempt.number = self.number;
        attempt.max = self.max_attempts;
        attempt.enqueued_at = self.enqueued_at.0;
        attempt.trace.clone_from(&self.trace);
        attempt
    }
}

impl Lease {
    fn read(row: &PgRow, shared: &Shared, trust: &CancellationToken) -> Result<Self, sqlx::Error> {
        let (queue, kind): (&str, &str) = (row.try_get("queue")?, row.try_get("kind")?);
        Ok(Self {
            id: row.try_get("id")?,
            queue: queue.into(),
            lane: shared.room.lane(queue),
            priority: row.try_get("priority")?,
            kind: shared.kinds.by_name.get(kind).cloned(),
            version: row.try_get("version")?,
            shape: row.try_get("shape")?,
            crashes: row.try_get("crashes")?,
            claimed_at: Instant::now(),
            trust: trust.clone(),
        })
    }
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

/// One lease with its jobs as the claim returns it: the n-th elements are the n-th job.
pub(crate) struct Batch {
    pub(crate) lease: Arc<Lease>,
    ids: Vec<i64>,
    enqueued_ats: Vec<Timestamp>,
    attempts: Vec<i16>,
    max_attempts: Vec<i16>,
    payloads: Packed,
    options: Vec<Option<Json<serde_json::Value>>>,
}

impl Batch {
    pub(crate) fn read(row: &PgRow, shared: &Shared, trust: &CancellationToken) -> Result<Self, sqlx::Error> {
        Ok(Self {
            lease: Arc::new(Lease::read(row, shared, trust)?),
            ids: row.try_get("ids")?,
            enqueued_ats: row.try_get("enqueued_ats")?,
            attempts: row.try_get("attempts")?,
            max_attempts: row.try_get("max_attempts")?,
            payloads: row.try_get("payloads")?,
            options: row.try_get("options")?,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// What says when its jobs were due.
    pub(crate) fn enqueued(&self) -> (Uuid, &[Timestamp], &[i16]) {
        (self.lease.id, &self.enqueued_ats, &self.attempts)
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

    /// The last of its jobs.
    pub(crate) fn last(&self) -> i64 {
        self.ids.iter().copied().max().unwrap_or(i64::MIN)
    }

    /// The n-th job.
    pub(crate) fn job(&self, n: usize, bodies: &mut HashMap<i64, Vec<u8>>, dues: &Dues) -> Claimed {
        let id = self.ids[n];
        let mut options = self.options[n].as_ref().and_then(|Json(options)| readable(id, options.clone()));
        let trace = options.as_deref_mut().and_then(trace);
        let inline = self.payloads.body(n);
        Claimed {
            lease: self.lease.clone(),
            position: n,
            id,
            number: self.attempts[n].saturating_add(1),
            max_attempts: self.max_attempts[n],
            enqueued_at: self.enqueued_ats[n],
            waited: dues.waited(self.lease.id, n, self.enqueued_ats[n].0),
            leftovers: inline.is_none() || self.attempts[n] > 0 || self.held_while(n).is_some(),
            payload: inline.or_else(|| bodies.remove(&id).map(Body::from)).unwrap_or_default(),
            options,
            trace,
        }
    }
}
