use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pgq_core::{Attempt, HeldWhile, JobId, JobOptions, Trace};
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{PgConnection, Row, query, query_as};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use uuid::Uuid;

use super::floor::{Floors, Place, START};
use super::handle::add;
use super::pace::{LINGER, Pace};
use super::poll::{Idle, poll};
use super::release::release_strangers;
use super::shared::{KnownKind, Shared};
use crate::connection::{Backoff, Session, limited};
use crate::packed::{Body, Packed};
use crate::time::Timestamp;

/// The most jobs one statement claims.
const MAX_BATCH: usize = 1000;

/// How often due jobs are promoted while there is no lack of ready ones.
const BUSY_POLL_INTERVAL: Duration = Duration::from_millis(500);

/// How often the leases in this runner's name are compared with those in its memory.
const STRANGERS_INTERVAL: Duration = Duration::from_secs(5);

/// How soon a runner that may not claim looks whether it may again.
const DOUBT_INTERVAL: Duration = Duration::from_millis(100);

/// A claimed job on its way to a slot.
pub(crate) struct Claimed {
    pub(crate) lease: Uuid,
    pub(crate) position: usize,
    pub(crate) priority: i16,
    /// How to run it; taken when it does.
    pub(crate) kind: Option<Arc<KnownKind>>,
    pub(crate) attempt: Attempt,
    pub(crate) claimed_at: Instant,
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

/// Claims jobs as slots become free, and waits where there are none.
pub(crate) struct Claimer {
    shared: Arc<Shared>,
    session: Session,
    slots: UnboundedSender<Claimed>,
    floors: Floors,
    /// The queues' names as they are shared with the jobs; rotated, so that each comes first in its turn.
    queues: Vec<Arc<str>>,
    idle: Idle,
    pace: Pace,
    next_poll: Instant,
    next_comparison: Instant,
}

/// What to do after a turn.
enum Next {
    /// Look again at once.
    Turn,
    /// Look again when slots are free.
    Room,
    /// Look again in a moment: jobs come briskly.
    Linger,
    /// Look again after that time, or when woken.
    Sleep(Duration),
}

impl Claimer {
    pub(crate) fn new(shared: Arc<Shared>, slots: UnboundedSender<Claimed>) -> Self {
        let now = Instant::now();
        Self {
            session: shared.session("claim"),
            slots,
            floors: Floors::default(),
            queues: shared.queues.iter().map(|queue| queue.as_str().into()).collect(),
            idle: Idle::default(),
            pace: Pace::new(now),
            next_poll: now,
            next_comparison: now,
            shared,
        }
    }

    pub(crate) async fn run(mut self) {
        let mut backoff = Backoff::default();
        let stop = self.shared.handle.stop.clone();
        while !stop.is_cancelled() {
            let shared = self.shared.clone();
            // Dropped half-way, a claim may have been made: its lease is left to a rescuer.
            let turn = tokio::select! { turn = self.turn() => turn, () = shared.hurry() => break };
            let wait = match turn {
                Ok(next) => {
                    backoff.reset();
                    self.wait(next).await;
                    continue;
                }
                Err(error) => {
                    self.distrust(&error);
                    backoff.wait()
                }
            };
            tokio::select! { () = wait => {} () = stop.cancelled() => {} }
        }
        self.session.close().await;
    }

    /// One look at the queues.
    async fn turn(&mut self) -> Result<Next, sqlx::Error> {
        let now = Instant::now();
        if !self.shared.liveness.may_claim() {
            return Ok(Next::Sleep(DOUBT_INTERVAL));
        }
        if now >= self.next_comparison {
            release_strangers(&self.shared, &mut self.session).await?;
            self.next_comparison = now + STRANGERS_INTERVAL;
        }
        let free = self.shared.room.free().min(MAX_BATCH);
        if free == 0 {
            return Ok(Next::Room);
        }
        let polls_first = self.idle.polls_first();
        if !polls_first {
            if now >= self.next_poll {
                self.poll().await?;
            }
            let found = self.claim(free).await?;
            let brisk = self.pace.found(found, self.idle.was_notified(), Instant::now());
            match found {
                _ if brisk && found < free => {
                    self.idle.wake_up(&self.shared, &mut self.session).await?;
                    return Ok(Next::Linger);
                }
                0 => self.idle.found_nothing(),
                all if all == free => {
                    self.idle.found_all(&self.shared, &mut self.session).await?;
                    return Ok(Next::Turn);
                }
                _ => self.idle.found_the_rest(),
            }
        }
        let seen = self.poll().await?;
        if seen.promoted > 0 || self.idle.must_look_again() {
            return Ok(Next::Turn);
        }
        match self.idle.contention() {
            _ if !seen.claimable => {
                // Nothing sleeps before it has looked behind its floors.
                let rescan_in = (!seen.from_start).then(|| self.floors.rescan_in(Instant::now()));
                let waits = [seen.due_in, rescan_in, Some(self.poll_interval())];
                Ok(Next::Sleep(waits.into_iter().flatten().min().unwrap_or_default()))
            }
            Some(contention) if !polls_first => Ok(Next::Sleep(contention.min(self.poll_interval()))),
            _ => Ok(Next::Turn),
        }
    }

    async fn wait(&mut self, next: Next) {
        let stop = self.shared.handle.stop.cancelled();
        match next {
            Next::Turn => {}
            Next::Room => tokio::select! {
                () = self.shared.room.freed() => {}
                () = sleep_until(self.next_comparison.into()) => {}
                () = stop => {}
            },
            Next::Linger => tokio::select! {
                () = sleep(LINGER) => {}
                () = stop => {}
            },
            Next::Sleep(time) => tokio::select! {
                () = sleep(time) => self.idle.overslept(),
                () = self.shared.wake.notified() => self.idle.notified(),
                () = self.shared.room.limit_freed() => self.idle.woken(),
                () = stop => {}
            },
        }
    }

    /// After a failure the reply to a claim may be lost, or jobs may have come back behind the floors.
    fn distrust(&mut self, error: &sqlx::Error) {
        self.shared.survived("claim", error);
        self.floors.rescan();
        self.idle = Idle::default();
        self.next_comparison = Instant::now();
    }

    async fn poll(&mut self) -> Result<super::poll::Seen, sqlx::Error> {
        // An idle runner claims nothing until a poll tells it to, so polls must look behind the floors too.
        let rescan = self.floors.rescan_is_due(Instant::now());
        let place = |queue| if rescan { START } else { self.floors.of(queue) };
        let places: Vec<_> = self.queues.iter().map(|queue| (&**queue, place(queue))).collect();
        let mut seen = poll(&self.shared, &mut self.session, &places, self.idle.is_idle()).await?;
        seen.from_start = rescan;
        if seen.promoted > 0 || (rescan && seen.claimable) {
            self.floors.rescan();
        }
        self.idle.polled(&seen);
        self.next_poll = Instant::now() + seen.due_in.unwrap_or(Duration::MAX).min(BUSY_POLL_INTERVAL);
        Ok(seen)
    }

    /// Claims the next job that is due, and hands it over. False if there is none.
    #[cfg(feature = "testing")]
    pub(crate) async fn claim_one(&mut self) -> Result<bool, sqlx::Error> {
        self.poll().await?;
        self.floors.rescan();
        Ok(self.claim(1).await? > 0)
    }

    /// Claims up to that many jobs and hands them to the slots.
    async fn claim(&mut self, free: usize) -> Result<usize, sqlx::Error> {
        let started = Instant::now();
        let rescan = self.floors.rescan_is_due(started);
        self.queues.rotate_left(1);
        let trust = self.shared.liveness.trust();
        let mut session = self.session.lend().await?;
        let rows =
            limited(claim(&self.shared, &mut session, &self.queues, &self.floors, rescan, free)).await?;
        if rescan {
            self.floors.rescanned(Instant::now(), started.elapsed());
        }
        let batches = rows.iter().map(Batch::read).collect::<Result<Vec<_>, _>>()?;
        // In the books before anything can fail: a lease that is not there is taken for a stranger's.
        for batch in &batches {
            self.shared.ledger.add(batch.lease, batch.ids.len());
        }
        let large = batches.iter().flat_map(Batch::large).collect::<Vec<_>>();
        let mut bodies = match limited(bodies(&self.shared, &mut session, &large)).await {
            Ok(bodies) => bodies,
            Err(error) => {
                batches.iter().for_each(|batch| self.shared.ledger.forget(batch.lease));
                return Err(error);
            }
        };
        let queued = batches.iter().flat_map(Batch::held_while_queued).collect::<Vec<_>>();
        if let Err(error) = limited(free_keys(&self.shared, &mut session, &queued)).await {
            batches.iter().for_each(|batch| self.shared.ledger.forget(batch.lease));
            return Err(error);
        }
        session.keep();
        Ok(self.hand_over(batches, &mut bodies, &trust))
    }

    fn hand_over(
        &mut self,
        batches: Vec<Batch>,
        bodies: &mut HashMap<i64, Vec<u8>>,
        trust: &CancellationToken,
    ) -> usize {
        let now = Instant::now();
        for (queue, place) in batches.iter().flat_map(Batch::reached) {
            self.floors.reached(queue, place, now);
        }
        let mut jobs = Vec::new();
        for batch in &batches {
            let now = Now { at: now, trust };
            jobs.extend((0..batch.ids.len()).map(|n| batch.job(n, self, bodies, now)));
        }
        // A delete returns rows as they lie in the table.
        jobs.sort_unstable_by_key(|job| (job.priority, job.attempt.id));
        let size = jobs.len();
        add(&self.shared.counts().claimed, size);
        for job in jobs {
            self.shared.room.took(&job.attempt.queue);
            // The slots outlive the claimer; were they gone, the lease would be found by a rescuer.
            if let Err(unsent) = self.slots.send(job) {
                self.shared.room.left(&unsent.0.attempt.queue);
            }
        }
        debug!(runner = %self.shared.name, size, "claimed");
        size
    }

    /// A little more or less each time, so that runners that started together do not poll together.
    fn poll_interval(&self) -> Duration {
        self.shared.settings.poll_interval.mul_f64(0.9 + fastrand::f64() / 5.0)
    }
}

async fn claim(
    shared: &Shared,
    session: &mut PgConnection,
    queues: &[Arc<str>],
    floors: &Floors,
    rescan: bool,
    free: usize,
) -> Result<Vec<PgRow>, sqlx::Error> {
    let slots =
        queues.iter().map(|queue| i32::try_from(shared.room.free_in(queue, free)).unwrap_or(i32::MAX));
    let places = queues.iter().map(|queue| if rescan { START } else { floors.of(queue) });
    let (priorities, ids): (Vec<i16>, Vec<i64>) = places.unzip();
    query(shared.statements().claim.clone())
        .bind(queues.iter().map(|queue| &**queue).collect::<Vec<&str>>())
        .bind(slots.collect::<Vec<_>>())
        .bind(priorities)
        .bind(ids)
        .bind(i32::try_from(free).unwrap_or(i32::MAX))
        .bind(&shared.kinds.names)
        .bind(&shared.kinds.versions)
        .bind(&shared.kinds.solo)
        .bind(shared.id)
        .fetch_all(session)
        .await
}

async fn bodies(
    shared: &Shared,
    session: &mut PgConnection,
    ids: &[i64],
) -> Result<HashMap<i64, Vec<u8>>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(i64, Vec<u8>)> =
        query_as(shared.statements().payloads.clone()).bind(ids).fetch_all(session).await?;
    Ok(rows.into_iter().collect())
}

/// Gives back the keys that these jobs held only until now.
async fn free_keys(shared: &Shared, session: &mut PgConnection, jobs: &[i64]) -> Result<(), sqlx::Error> {
    if !jobs.is_empty() {
        query(shared.statements().free_queued_keys.clone()).bind(jobs).execute(session).await?;
    }
    Ok(())
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
struct Batch {
    lease: Uuid,
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
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
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

    fn large(&self) -> impl Iterator<Item = i64> {
        (0..self.payloads.len()).filter(|n| self.payloads.get(*n).is_none()).map(|n| self.ids[n])
    }

    /// Jobs whose keys others may have once they begin.
    fn held_while_queued(&self) -> impl Iterator<Item = i64> {
        let held = |n: &usize| self.held_while(*n).is_some_and(|held| held == HeldWhile::Queued.as_str());
        (0..self.ids.len()).filter(held).map(|n| self.ids[n])
    }

    /// How long the n-th job holds the key of a unique job, in the database's words; none if it holds none.
    fn held_while(&self, n: usize) -> Option<&serde_json::Value> {
        self.options[n].as_ref().and_then(|Json(options)| options.get("held_while"))
    }

    /// The last place of each queue.
    fn reached(&self) -> HashMap<&str, Place> {
        let mut reached = HashMap::new();
        for n in 0..self.ids.len() {
            let place = (self.priorities[n], self.ids[n]);
            let last = reached.entry(self.queues.text(n)).or_insert(START);
            *last = place.max(*last);
        }
        reached
    }

    /// The n-th job.
    fn job(&self, n: usize, claimer: &Claimer, bodies: &mut HashMap<i64, Vec<u8>>, now: Now<'_>) -> Claimed {
        let id = self.ids[n];
        let queue = claimer.queues.iter().find(|known| ***known == *self.queues.text(n)).cloned();
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
            kind: claimer.shared.kinds.by_name.get(self.kinds.text(n)).cloned(),
            attempt,
            claimed_at: now.at,
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

/// The moment of a claim, and the trust it was made on.
#[derive(Clone, Copy)]
struct Now<'a> {
    at: Instant,
    trust: &'a CancellationToken,
}
