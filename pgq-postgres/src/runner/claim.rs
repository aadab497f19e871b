use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{PgConnection, Postgres, query, query_as};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Notify, RwLock};
use tokio_util::sync::CancellationToken;
use tracing::debug;
use uuid::Uuid;

use super::batch::{Batch, Claimed};
use super::floor::{Came, Floors, Look, Reached};
use super::handle::add;
use super::room::Reserved;
use super::shared::Shared;
use super::stretch::{Columns, Stretch};
use crate::connection::{Session, limited};
use crate::meter::{Dues, Watch};

/// From such claims on a second session is worth having, and too many at a time are in each other's way.
pub(crate) const LARGE_CLAIM: usize = 250;

/// What a claim does while two large ones are under way, of whatever runner.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Turn {
    /// Does not care.
    None,
    /// Waits for its turn.
    Wait,
    /// Finds nothing.
    Try,
}

impl Turn {
    fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Wait => "wait",
            Self::Try => "try",
        }
    }
}

/// What a runner's two sessions that claim share.
#[derive(Default)]
pub(crate) struct Together {
    floors: Mutex<Floors>,
    /// There is work for a second session: a large claim found all that it asked for, or looks behind the floors are dear.
    pub(crate) second: Notify,
    /// Read by a claim until its leases are in the books: whoever writes knows all leases of this runner.
    pub(crate) under_way: RwLock<()>,
    /// The reply to a claim may be lost.
    pub(crate) doubt: Notify,
}

impl Together {
    pub(crate) fn floors(&self) -> MutexGuard<'_, Floors> {
        // Nothing in there can panic half-way, so poisoned floors are whole ones.
        self.floors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One session that claims.
pub(crate) struct Claims {
    pub(crate) shared: Arc<Shared>,
    pub(crate) together: Arc<Together>,
    pub(crate) session: Session,
    /// The queues' names as they are shared with the jobs; rotated, so that each comes first in its turn.
    pub(crate) queues: Vec<Arc<str>>,
    slots: UnboundedSender<Vec<Claimed>>,
    turn: Turn,
}

impl Claims {
    /// The session of a runner that claims.
    pub(crate) fn first(
        shared: &Arc<Shared>,
        together: &Arc<Together>,
        slots: &UnboundedSender<Vec<Claimed>>,
    ) -> Self {
        Self {
            session: shared.session("claim"),
            queues: shared.queues.iter().map(|queue| queue.as_str().into()).collect(),
            slots: slots.clone(),
            turn: Turn::Wait,
            together: together.clone(),
            shared: shared.clone(),
        }
    }

    /// Another one for when there is plenty. It is in nobody's way.
    pub(crate) fn second(&self) -> Self {
        let first = Self::first(&self.shared, &self.together, &self.slots);
        Self { session: self.shared.session("claim 2"), turn: Turn::Try, ..first }
    }

    /// Claims as many jobs as there is room for and hands them to the slots. Returns how many there were.
    pub(crate) async fn claim(&mut self, room: Reserved) -> Result<usize, sqlx::Error> {
        self.queues.rotate_left(1);
        self.claim_of(room, None).await
    }

    /// Claims the first job of that queue alone, sooner than a claim of all queues does. Returns how many there were.
    pub(crate) async fn claim_first(&mut self, room: Reserved, queue: &str) -> Result<usize, sqlx::Error> {
        self.claim_of(room, Some(queue)).await
    }

    async fn claim_of(&mut self, room: Reserved, first_of: Option<&str>) -> Result<usize, sqlx::Error> {
        let together = self.together.clone();
        let under_way = together.under_way.read().await;
        let trust = self.shared.liveness.trust();
        let looks = first_of.is_none() && self.looks();
        let mut session = self.session.lend().await?;
        let asked =
            Asked { shared: &self.shared, queues: &self.queues, free: room.jobs(), turn: self.turn, looks };
        let batches = match first_of {
            Some(queue) => claimed_first(queue, &self.shared, &together, &trust, &mut session).await?,
            None => claimed(&asked, &together, &trust, &mut session).await?,
        };
        drop(under_way);
        let rest = async {
            let large = batches.iter().flat_map(Batch::large).collect::<Vec<_>>();
            let bodies = limited(bodies(&self.shared, &mut session, &large)).await?;
            let queued = batches.iter().flat_map(Batch::held_while_queued).collect::<Vec<_>>();
            limited(free_keys(&self.shared, &mut session, &queued)).await?;
            let dues = Dues::of(&self.shared, &mut session, batches.iter().map(Batch::enqueued)).await?;
            session.keep().await?;
            Ok((bodies, dues))
        };
        match rest.await {
            Ok((bodies, dues)) => Ok(self.hand_over(&batches, bodies, room, &dues)),
            Err(error) => {
                batches.iter().for_each(|batch| self.shared.ledger.forget(batch.lease.id));
                Err(error)
            }
        }
    }

    /// Whether this session is to look behind the floors now.
    pub(crate) fn looks(&self) -> bool {
        let floors = self.together.floors();
        self.has_the_looks(&floors) && floors.look_is_due(Instant::now())
    }

    /// How long until this session is to look behind the floors; none if another does.
    pub(crate) fn look_in(&self) -> Option<Duration> {
        let floors = self.together.floors();
        self.has_the_looks(&floors).then(|| floors.look_in(Instant::now()))
    }

    /// Dear looks are the second session's, so that no other claim waits for them.
    fn has_the_looks(&self, floors: &Floors) -> bool {
        match self.turn {
            Turn::Try => floors.looks_are_dear(),
            Turn::None | Turn::Wait => !floors.looks_are_dear() || self.shared.room.has_limits(),
        }
    }

    /// After a failure the reply to a claim may be lost, or jobs may have come back behind the floors.
    pub(crate) fn distrust(&self, error: &sqlx::Error) {
        self.shared.survived("claim", error);
        self.together.floors().look();
        self.together.doubt.notify_one();
    }

    fn hand_over(
        &self,
        batches: &[Batch],
        mut bodies: HashMap<i64, Vec<u8>>,
        mut room: Reserved,
        dues: &Dues,
    ) -> usize {
        let mut jobs = Vec::with_capacity(room.jobs());
        for batch in batches {
            jobs.extend((0..batch.len()).map(|n| batch.job(n, &mut bodies, dues)));
        }
        // A delete returns rows as they lie in the table.
        jobs.sort_unstable_by_key(|job| (job.lease.priority, job.id));
        let size = jobs.len();
        add(&self.shared.counts().claimed, size);
        jobs.iter().for_each(|job| room.fill(job.lease.lane));
        // The slots outlive the claimer; were they gone, the lease would be found by a rescuer.
        if size > 0
            && let Err(unsent) = self.slots.send(jobs)
        {
            unsent.0.iter().for_each(|job| self.shared.room.left(job.lease.lane));
        }
        debug!(runner = %self.shared.name, size, "claimed");
        size
    }
}

/// How far the claim came in each priority of each queue, and how many jobs of it there are.
fn reached(batches: &[Batch]) -> Reached<'_> {
    let mut reached = Reached::new();
    for batch in batches {
        let place = (&*batch.lease.queue, batch.lease.priority);
        let Came { to, jobs } = reached.entry(place).or_insert(Came { to: i64::MIN, jobs: 0 });
        *to = batch.last().max(*to);
        *jobs += batch.len();
    }
    reached
}

/// What to claim: up to that many jobs of these queues, behind the floors too or from them on.
struct Asked<'a> {
    shared: &'a Shared,
    queues: &'a [Arc<str>],
    free: usize,
    turn: Turn,
    looks: bool,
}

/// Enters claimed leases into the books before anything else can fail: one that is not there is taken for a stranger's.
fn entered(
    rows: &[PgRow],
    watch: Watch,
    shared: &Shared,
    trust: &CancellationToken,
) -> Result<Vec<Batch>, sqlx::Error> {
    let batches = rows.iter().map(|row| Batch::read(row, shared, trust)).collect::<Result<Vec<_>, _>>()?;
    shared.meter.claimed(watch, batches.iter().map(Batch::len).sum());
    for batch in &batches {
        shared.ledger.add(batch.lease.id, batch.len());
    }
    Ok(batches)
}

/// Claims the first job of that queue.
async fn claimed_first(
    queue: &str,
    shared: &Shared,
    together: &Together,
    trust: &CancellationToken,
    session: &mut PgConnection,
) -> Result<Vec<Batch>, sqlx::Error> {
    let stretches = together.floors().of(queue, Instant::now());
    let watch = Watch::start();
    let rows = limited(claim_first(shared, queue, stretches).fetch_all(session)).await?;
    let batches = entered(&rows, watch, shared, trust)?;
    if !batches.is_empty() {
        together.floors().claimed(&reached(&batches), Instant::now());
    }
    Ok(batches)
}

/// Claims of all queues, as asked.
async fn claimed(
    asked: &Asked<'_>,
    together: &Together,
    trust: &CancellationToken,
    session: &mut PgConnection,
) -> Result<Vec<Batch>, sqlx::Error> {
    let Asked { shared, looks, .. } = *asked;
    let started = Instant::now();
    let (stretches, dear) = {
        let floors = together.floors();
        let of = |queue: &Arc<str>| match looks {
            true => floors.of_look(queue, started),
            false => floors.of(queue, started),
        };
        (Columns::of(asked.queues.iter().map(of)), floors.looks_are_dear())
    };
    // How long a look takes says when the next one is due: it is not to wait for others. Where looks are dear, claims take
    // no turn, since those leave jobs behind.
    let turn = if looks || dear || asked.free < LARGE_CLAIM { Turn::None } else { asked.turn };
    let watch = Watch::start();
    let rows = limited(claim(&Asked { turn, ..*asked }, stretches, session)).await;
    let (ended, took) = (Instant::now(), started.elapsed());
    if looks && rows.is_err() {
        together.floors().look_failed(took, ended);
    }
    let batches = entered(&rows?, watch, shared, trust)?;
    let mut floors = together.floors();
    match turn {
        _ if looks => {
            let filled = batches.iter().map(Batch::len).sum::<usize>() >= asked.free;
            floors.looked(
                &reached(&batches),
                Look { took, filled, alike: shared.alike.load(Relaxed) },
                ended,
            );
            if floors.looks_are_dear() {
                together.second.notify_one();
            }
        }
        // It may just not have been its turn.
        Turn::Try if batches.is_empty() => {}
        _ => {
            floors.claim_took(took);
            floors.claimed(&reached(&batches), ended);
        }
    }
    drop(floors);
    Ok(batches)
}

/// The claim of the first job of a queue, in these stretches of it.
pub(crate) fn claim_first<'a>(
    shared: &'a Shared,
    queue: &'a str,
    stretches: Vec<Stretch>,
) -> Query<'a, Postgres, PgArguments> {
    let claim = query(shared.statements().claim_first.clone()).persistent(shared.keeps_statements());
    Columns::of([stretches].into_iter())
        .bind_without_numbers(claim.bind(queue))
        .bind(&shared.kinds.names)
        .bind(&shared.kinds.versions)
        .bind(shared.id)
        .bind(number_of_a_claim())
}

/// A number that no other claim has, of whatever runner: what makes the ids of leases unique. Drawn here, since the server's
/// generator takes it a twelfth of a small claim.
pub(crate) fn number_of_a_claim() -> i64 {
    Uuid::new_v4().as_u64_pair().1.cast_signed()
}

async fn claim(
    asked: &Asked<'_>,
    stretches: Columns,
    session: &mut PgConnection,
) -> Result<Vec<PgRow>, sqlx::Error> {
    let Asked { shared, queues, free, turn, .. } = *asked;
    let slots =
        queues.iter().map(|queue| i32::try_from(shared.room.free_in(queue, free)).unwrap_or(i32::MAX));
    let claim = query(shared.statements().claim.clone())
        .persistent(shared.keeps_statements())
        .bind(queues.iter().map(|queue| &**queue).collect::<Vec<&str>>())
        .bind(slots.collect::<Vec<_>>());
    stretches
        .bind_to(claim)
        .bind(i32::try_from(free).unwrap_or(i32::MAX))
        .bind(&shared.kinds.names)
        .bind(&shared.kinds.versions)
        .bind(&shared.kinds.solo)
        .bind(shared.id)
        .bind(turn.as_str())
        .bind(number_of_a_claim())
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
    let rows: Vec<(i64, Vec<u8>)> = query_as(shared.statements().payloads.clone())
        .persistent(shared.keeps_statements())
        .bind(ids)
        .fetch_all(session)
        .await?;
    Ok(rows.into_iter().collect())
}

/// Gives back the keys that these jobs held only until now.
async fn free_keys(shared: &Shared, session: &mut PgConnection, jobs: &[i64]) -> Result<(), sqlx::Error> {
    if !jobs.is_empty() {
        query(shared.statements().free_queued_keys.clone())
            .persistent(shared.keeps_statements())
            .bind(jobs)
            .execute(session)
            .await?;
    }
    Ok(())
}
