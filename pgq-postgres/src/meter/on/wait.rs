use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use sqlx::{PgConnection, query_as, query_scalar};
use uuid::Uuid;

use crate::connection::limited;
use crate::runner::Shared;
use crate::time::Timestamp;

/// Claims whose jobs are all younger than this are not asked when they were due: at once, or they could not be so young.
const YOUNG: Duration = Duration::from_secs(1);

/// How long a job had been due when it was claimed, if that is known.
pub(crate) type Waited = Option<Duration>;

/// What the database's clock says, as far as this process can know between two looks.
#[derive(Default)]
pub(crate) struct Clock(Mutex<Option<(Instant, SystemTime)>>);

impl Clock {
    /// Asks the database.
    pub(crate) async fn read(&self, shared: &Shared, session: &mut PgConnection) -> Result<(), sqlx::Error> {
        let sent = Instant::now();
        let Timestamp(time) = limited(
            query_scalar(shared.statements().database_clock.clone())
                .persistent(shared.keeps_statements())
                .fetch_one(session),
        )
        .await?;
        // It looked at its clock about half of a round trip ago.
        let then = sent + sent.elapsed() / 2;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((then, time));
        Ok(())
    }

    fn now(&self) -> Option<SystemTime> {
        let read = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        read.map(|(then, time)| time + then.elapsed())
    }
}

/// When the jobs of a claim were due.
pub(crate) struct Dues {
    now: Option<SystemTime>,
    /// Of leases with jobs that were scheduled once.
    run_ats: HashMap<Uuid, Vec<Option<Timestamp>>>,
}

impl Dues {
    /// Of claimed leases with the times of enqueue and the spent attempts of their jobs.
    pub(crate) async fn of<'a>(
        shared: &Shared,
        session: &mut PgConnection,
        leases: impl Iterator<Item = (Uuid, &'a [Timestamp], &'a [i16])>,
    ) -> Result<Self, sqlx::Error> {
        let now = shared.meter.clock.now();
        let young = now.map(|now| now - YOUNG);
        let asked: Vec<Uuid> = leases
            .filter(|(_, enqueued_ats, attempts)| {
                let is_old = |at: &Timestamp| young.is_some_and(|young| at.0 < young);
                enqueued_ats.iter().any(is_old) || attempts.iter().any(|attempts| *attempts > 0)
            })
            .map(|(lease, ..)| lease)
            .collect();
        if asked.is_empty() {
            return Ok(Self { now, run_ats: HashMap::new() });
        }
        let due_times = query_as(shared.statements().due_times.clone())
            .persistent(shared.keeps_statements())
            .bind(shared.id)
            .bind(asked);
        let rows: Vec<(Uuid, Vec<Option<Timestamp>>)> = limited(due_times.fetch_all(session)).await?;
        Ok(Self { now, run_ats: rows.into_iter().collect() })
    }

    /// How long the n-th job of that lease has been due.
    pub(crate) fn waited(&self, lease: Uuid, n: usize, enqueued_at: SystemTime) -> Waited {
        let run_at = self.run_ats.get(&lease).and_then(|run_ats| run_ats.get(n).copied().flatten());
        let due = run_at.map_or(enqueued_at, |run_at| run_at.0);
        Some(self.now?.duration_since(due).unwrap_or_default())
    }
}
