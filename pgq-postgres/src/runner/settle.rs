use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pgq_core::{Outcome, SLOW_DOWN_FIRST, SLOW_DOWN_LONGEST};
use sqlx::postgres::types::PgInterval;
use sqlx::{PgConnection, Row, query, query_scalar};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::time::timeout_at;
use tracing::{debug, error, warn};
use uuid::Uuid;

use super::handle::add;
use super::ledger::{Afterlife, Ended, Flush, Remains};
use super::settings::DEAD_AFTER_BEATS;
use super::shared::{Shared, until};
use crate::connection::{Backoff, Session, is_permanent, limited, timed_out};
use crate::meter::Watch;
use crate::time::interval;

/// Outcomes are recorded when so many wait, or after this time, whichever comes first.
const FLUSH_AT: usize = 64;
const FLUSH_AFTER: Duration = Duration::from_millis(2);

/// The longest error text that is kept, in bytes.
const MAX_ERROR_BYTES: usize = 16 << 10;

/// What the settling part is told.
pub(crate) enum ToSettle {
    /// A job has ended.
    Ended(Ended),
    /// Somebody waits until all that ended before is recorded, or surely lost.
    WhenRecorded(oneshot::Sender<()>),
}

/// Records what became of jobs. Ends when all slots have, and everything is recorded or lost.
pub(crate) struct Settler {
    shared: Arc<Shared>,
    session: Session,
    ends: UnboundedReceiver<ToSettle>,
    waiting: Vec<oneshot::Sender<()>>,
}

impl Settler {
    pub(crate) fn new(shared: Arc<Shared>, ends: UnboundedReceiver<ToSettle>) -> Self {
        Self { session: shared.session("settle"), shared, ends, waiting: Vec::new() }
    }

    pub(crate) async fn run(mut self) {
        let mut next: Option<Instant> = None;
        loop {
            let open = self.gather(next).await;
            let (flushes, later) = self.shared.ledger.due(Instant::now(), !open || !self.waiting.is_empty());
            next = later;
            if !flushes.is_empty() {
                self.flush(flushes).await;
            }
            for waiting in self.waiting.drain(..) {
                // Whoever waited may have ended meanwhile.
                let _ = waiting.send(());
            }
            if !open {
                break;
            }
        }
        self.session.close().await;
    }

    /// Records the end of one job at once.
    #[cfg(feature = "testing")]
    pub(crate) async fn end(&mut self, end: Ended) {
        self.note(vec![ToSettle::Ended(end)]);
        let (flushes, _) = self.shared.ledger.due(Instant::now(), true);
        self.flush(flushes).await;
    }

    /// Waits for ends until a flush is worth it, at the latest until `next`; false once no more can come.
    async fn gather(&mut self, next: Option<Instant>) -> bool {
        let mut batch = Vec::with_capacity(FLUSH_AT);
        let received = tokio::select! {
            received = self.ends.recv_many(&mut batch, usize::MAX) => received,
            () = until(next) => return true,
        };
        if received == 0 {
            return false;
        }
        let flush_at = tokio::time::Instant::now() + FLUSH_AFTER;
        let in_a_hurry =
            |batch: &[ToSettle]| batch.iter().any(|told| matches!(told, ToSettle::WhenRecorded(_)));
        while batch.len() < FLUSH_AT && !in_a_hurry(&batch) {
            match timeout_at(flush_at, self.ends.recv_many(&mut batch, usize::MAX)).await {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        self.note(batch);
        true
    }

    fn note(&mut self, batch: Vec<ToSettle>) {
        let mut ends = Vec::with_capacity(batch.len());
        for told in batch {
            match told {
                ToSettle::Ended(end) => ends.push(end),
                ToSettle::WhenRecorded(waiting) => self.waiting.push(waiting),
            }
        }
        let counts = self.shared.counts();
        for end in &ends {
            let counter = match end.outcome {
                Outcome::Complete => &counts.completed,
                Outcome::Retry { .. } => &counts.retried,
                Outcome::Snooze { .. } => &counts.snoozed,
                Outcome::Discard { .. } => &counts.discarded,
                Outcome::Park { .. } => &counts.parked,
                Outcome::Release => &counts.released,
            };
            add(counter, 1);
        }
        self.shared.tally.note(&ends);
        let lost = self.shared.ledger.note(ends.into_iter(), Instant::now());
        for lease in &lost {
            debug!(runner = %self.shared.name, %lease, dropped = 1_u64, "an outcome is dropped: its lease was lost before it came");
        }
        add(&counts.lease_lost, lost.len());
        self.shared.meter.lease_lost(lost.len());
    }

    /// Records outcomes, however long the database is away, until they are recorded or their leases are surely
    /// lost.
    async fn flush(&mut self, flushes: Vec<Flush>) {
        let mut backoff = Backoff::default();
        let started = Instant::now();
        let mut tried = Tried::Never;
        loop {
            let shared = self.shared.clone();
            let result = tokio::select! {
                result = self.try_flush(&flushes) => result,
                () = shared.hurry() => Err(timed_out()),
            };
            let error = match result {
                Ok(held) => return self.recorded(&flushes, &held, tried).await,
                Err(error) => error,
            };
            tried = Tried::Before;
            self.shared.survived("settle", &error);
            if is_permanent(&error) {
                for flush in flushes {
                    self.flush_singly(flush).await;
                }
                return;
            }
            if started.elapsed() > self.patience() {
                error!(runner = %self.shared.name, leases = flushes.len(), "outcomes could not be recorded: these jobs will run again");
                return flushes.iter().for_each(|flush| self.shared.ledger.forget(flush.lease));
            }
            backoff.wait().await;
        }
    }

    /// How long to go on trying: until others have surely taken the leases, or as long as a stop may take.
    fn patience(&self) -> Duration {
        let lost = self.shared.liveness.interval() * DEAD_AFTER_BEATS * 2;
        if self.shared.handle.stop_now.is_cancelled() {
            Duration::ZERO
        } else if self.shared.stopping() {
            self.shared.settings.grace.min(lost)
        } else {
            lost
        }
    }

    async fn try_flush(&mut self, flushes: &[Flush]) -> Result<HashSet<Uuid>, sqlx::Error> {
        let mut lent = self.session.lend().await?;
        let watch = Watch::start();
        let held = limited(record(&self.shared, &mut lent, flushes)).await?;
        self.shared.meter.settled(watch, flushes.iter().map(|flush| flush.ends).sum());
        lent.keep().await?;
        Ok(held)
    }

    /// One outcome that cannot be recorded must not hold up the others: each on its own. A job whose outcome
    /// fails even so stays in its lease, which this runner then no longer knows and gives back.
    async fn flush_singly(&mut self, flush: Flush) {
        let mut recorded = flush.plain_part();
        let mut failed = self.flush_part(&recorded).await.is_err();
        for remains in &flush.remains {
            let next = recorded.with(remains);
            match self.flush_part(&next).await {
                Ok(()) => recorded = next,
                Err(error) => {
                    error!(runner = %self.shared.name, lease = %flush.lease, %error, "an outcome cannot be recorded");
                    failed = true;
                }
            }
        }
        if flush.whole && !failed {
            failed = self.flush_part(&Flush { remains: Vec::new(), ..flush.clone() }).await.is_err();
        }
        if failed {
            self.shared.ledger.forget(flush.lease);
        }
    }

    async fn flush_part(&mut self, part: &Flush) -> Result<(), sqlx::Error> {
        let part = std::slice::from_ref(part);
        let held = self.try_flush(part).await.inspect_err(|error| self.shared.survived("settle", error))?;
        self.recorded(part, &held, Tried::Before).await;
        Ok(())
    }

    async fn recorded(&mut self, flushes: &[Flush], held: &HashSet<Uuid>, tried: Tried) {
        for flush in flushes {
            let lost = !held.contains(&flush.lease);
            if lost && tried == Tried::Never {
                warn!(runner = %self.shared.name, lease = %flush.lease, dropped = flush.ends, "a lease passed to another runner: its outcomes are dropped");
                add(&self.shared.counts().lease_lost, flush.ends);
                self.shared.meter.lease_lost(flush.ends);
            }
            if lost || flush.whole {
                self.shared.ledger.forget(flush.lease);
            }
        }
        let kept =
            flushes.iter().filter(|flush| held.contains(&flush.lease)).flat_map(|flush| &flush.remains);
        let slow: HashSet<&str> =
            kept.clone().filter(|remains| remains.slows_queue()).map(|remains| &*remains.queue).collect();
        if let Err(error) = self.slow_down(&slow).await {
            self.shared.survived("settle", &error);
        }
        // A retry or a snooze may be due before the claimer's sleep is over.
        if kept.clone().any(|remains| remains.outcome != Outcome::Complete) {
            self.shared.wake.notify_one();
        }
    }

    async fn slow_down(&mut self, queues: &HashSet<&str>) -> Result<(), sqlx::Error> {
        let millis = |pause: Duration| i32::try_from(pause.as_millis()).unwrap_or(i32::MAX);
        for queue in queues {
            let mut lent = self.session.lend().await?;
            let slow_queue = query(self.shared.statements().slow_queue.clone())
                .persistent(self.shared.keeps_statements())
                .bind(queue)
                .bind(millis(SLOW_DOWN_FIRST))
                .bind(millis(SLOW_DOWN_LONGEST));
            limited(slow_queue.execute(&mut *lent)).await?;
            lent.keep().await?;
        }
        Ok(())
    }
}

/// Whether a flush was sent before, so that a lease that is gone now may have ended by that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tried {
    Never,
    Before,
}

/// Records the outcomes of these leases and returns which of them the runner still held: those of the others
/// changed nothing.
pub(crate) async fn record(
    shared: &Shared,
    session: &mut PgConnection,
    flushes: &[Flush],
) -> Result<HashSet<Uuid>, sqlx::Error> {
    let (plain, rest): (Vec<&Flush>, Vec<&Flush>) = flushes.iter().partition(|flush| flush.is_plain());
    let mut held = HashSet::new();
    if !plain.is_empty() {
        held.extend(complete(shared, session, &plain).await?);
    }
    if !rest.is_empty() {
        held.extend(settle(shared, session, &rest).await?);
    }
    Ok(held)
}

async fn complete(
    shared: &Shared,
    session: &mut PgConnection,
    flushes: &[&Flush],
) -> Result<Vec<Uuid>, sqlx::Error> {
    query_scalar(shared.statements().complete.clone())
        .persistent(shared.keeps_statements())
        .bind(shared.id)
        .bind(flushes.iter().map(|flush| flush.lease).collect::<Vec<_>>())
        .bind(completed_queues(flushes))
        .fetch_all(session)
        .await
}

async fn settle(
    shared: &Shared,
    session: &mut PgConnection,
    flushes: &[&Flush],
) -> Result<Vec<Uuid>, sqlx::Error> {
    let remains: Vec<(Uuid, &Remains)> =
        flushes.iter().flat_map(|flush| flush.outcomes().map(|remains| (flush.lease, remains))).collect();
    let column = |(_, remains): &(Uuid, &Remains)| remains.columns();
    let columns: Vec<Columns> = remains.iter().map(column).collect();
    let rows = query(shared.statements().settle.clone())
        .persistent(shared.keeps_statements())
        .bind(shared.id)
        .bind(flushes.iter().map(|flush| flush.lease).collect::<Vec<_>>())
        .bind(flushes.iter().map(|flush| &*flush.done).collect::<Vec<_>>())
        .bind(flushes.iter().map(|flush| flush.whole).collect::<Vec<_>>())
        .bind(remains.iter().map(|(lease, _)| *lease).collect::<Vec<_>>())
        .bind(columns.iter().map(|column| column.position).collect::<Vec<_>>())
        .bind(columns.iter().map(|column| column.outcome).collect::<Vec<_>>())
        .bind(columns.iter().map(|column| column.wait).collect::<Vec<_>>())
        .bind(columns.iter().map(|column| column.error.as_deref()).collect::<Vec<_>>())
        .bind(&shared.name)
        .bind(shared.settings.schema.channel())
        .bind(completed_queues(flushes))
        .fetch_all(session)
        .await?;
    rows.iter().map(|row| row.try_get("id")).collect()
}

fn completed_queues<'a>(flushes: &[&'a Flush]) -> Vec<&'a str> {
    let queues: HashSet<&str> = flushes.iter().filter_map(|flush| flush.completed_queue.as_deref()).collect();
    queues.into_iter().collect()
}

/// How an outcome is written for the statement.
struct Columns {
    position: i32,
    outcome: &'static str,
    wait: Option<PgInterval>,
    error: Option<String>,
}

impl Remains {
    fn columns(&self) -> Columns {
        let (outcome, wait, error) = match &self.outcome {
            Outcome::Complete if self.afterlife == Afterlife::Kept => ("keep", None, None),
            Outcome::Complete => ("complete", None, None),
            Outcome::Retry { after, error, .. } => ("retry", Some(*after), Some(error)),
            Outcome::Snooze { after } => ("snooze", Some(*after), None),
            Outcome::Discard { error, .. } => ("discard", None, Some(error)),
            Outcome::Park { error } => ("park", None, Some(error)),
            Outcome::Release => ("release", None, None),
        };
        Columns {
            position: i32::try_from(self.position).unwrap_or(i32::MAX),
            outcome,
            wait: wait.map(|wait| interval(wait.min(LONGEST_WAIT))),
            error: error.map(|error| storable(error)),
        }
    }

    fn slows_queue(&self) -> bool {
        matches!(
            self.outcome,
            Outcome::Retry { slow_queue: true, .. } | Outcome::Discard { slow_queue: true, .. }
        )
    }
}

/// The longest wait of a retry or a snooze: a thousand years, well before the database's calendar ends.
const LONGEST_WAIT: Duration = Duration::from_secs(1000 * 365 * 86_400);

/// A text that Postgres takes: no NUL, and not without end.
fn storable(error: &str) -> String {
    let mut end = error.len().min(MAX_ERROR_BYTES);
    while !error.is_char_boundary(end) {
        end -= 1;
    }
    error[..end].replace('\0', "\u{fffd}")
}
