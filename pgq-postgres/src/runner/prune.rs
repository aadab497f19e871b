use std::time::Duration;

use sqlx::postgres::types::PgInterval;
use sqlx::query_scalar;
use tracing::debug;

use super::shared::Shared;
use crate::connection::{Session, limited};
use crate::time::interval;

/// The most jobs one statement deletes.
const PRUNE_BATCH: i32 = 500;

/// How long completed jobs are kept that another runner was asked to keep.
const FOREIGN_COMPLETED_AGE: Duration = Duration::from_secs(7 * 86_400);

/// How long a fired tick of a schedule is remembered.
const TICK_AGE: Duration = Duration::from_secs(7 * 86_400);

/// Deletes finished jobs that are older than their state's age, in small batches.
pub(crate) async fn prune(shared: &Shared, session: &mut Session) -> Result<(), sqlx::Error> {
    let completed = shared.settings.keep_completed.unwrap_or(FOREIGN_COMPLETED_AGE);
    let ages = [completed, shared.settings.keep_discarded, shared.settings.keep_cancelled];
    let ages: Vec<PgInterval> = ages.into_iter().map(interval).collect();
    prune_ticks(shared, session).await?;
    while !shared.stopping() {
        let mut lent = session.lend().await?;
        let pruned: i64 = limited(
            query_scalar(shared.statements().prune.clone())
                .persistent(shared.keeps_statements())
                .bind(["completed", "discarded", "cancelled"].as_slice())
                .bind(&ages)
                .bind(shared.settings.schema.lock_key("prune"))
                .bind(PRUNE_BATCH)
                .fetch_one(&mut *lent),
        )
        .await?;
        lent.keep().await?;
        debug!(pruned, "pruned");
        if pruned < i64::from(PRUNE_BATCH) {
            return Ok(());
        }
    }
    Ok(())
}

/// Forgets the ticks that were fired long ago, in small batches.
async fn prune_ticks(shared: &Shared, session: &mut Session) -> Result<(), sqlx::Error> {
    let mut pruned = i64::from(PRUNE_BATCH);
    while pruned == i64::from(PRUNE_BATCH) && !shared.stopping() {
        let mut lent = session.lend().await?;
        let prune = query_scalar(shared.statements().prune_ticks.clone());
        let prune = prune.persistent(shared.keeps_statements()).bind(interval(TICK_AGE)).bind(PRUNE_BATCH);
        pruned = limited(prune.fetch_one(&mut *lent)).await?;
        lent.keep().await?;
    }
    Ok(())
}
