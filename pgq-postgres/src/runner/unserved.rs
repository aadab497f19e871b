use std::sync::atomic::Ordering::Relaxed;

use sqlx::query_as;
use tracing::warn;

use super::shared::Shared;
use crate::connection::{Session, limited};

/// How far into each queue to look.
const LOOK_AT: i64 = 1000;

/// Tells of jobs that wait in this runner's queues and that no living runner reads: the code of their kind was
/// removed, or that of their payload's version is not deployed yet. They stay untouched.
pub(crate) async fn tell_unserved(shared: &Shared, session: &mut Session) -> Result<(), sqlx::Error> {
    let mut lent = session.lend().await?;
    let kinds: Vec<(String, i16, i64)> = limited(
        query_as(shared.statements().unserved_kinds.clone())
            .persistent(shared.keeps_statements())
            .bind(&shared.queues)
            .bind(LOOK_AT)
            .fetch_all(&mut *lent),
    )
    .await?;
    lent.keep().await?;
    shared.meter.unserved(kinds.len());
    shared.counts().unserved_kinds.store(kinds.len() as u64, Relaxed);
    for (kind, version, jobs) in kinds {
        warn!(runner = %shared.name, kind, version, jobs, "jobs of this kind and version wait, and no running program knows them");
    }
    Ok(())
}
