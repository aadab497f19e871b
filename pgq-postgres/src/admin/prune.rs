use std::time::Duration;

use sqlx::query_scalar;

use super::{Admin, State, unsigned};
use crate::Error;
use crate::time::interval;

/// How many jobs one statement deletes.
const BATCH: i64 = 1000;

impl Admin {
    /// Deletes the jobs that came to this end longer ago than that, with their bodies and failures; returns how many.
    /// Runners do so by themselves, by their own ages.
    ///
    /// # Errors
    /// A state that is no end, or a failure of the database.
    pub async fn prune(&self, state: State, age: Duration) -> Result<u64, Error> {
        if !state.is_finished() {
            return Err(Error::Setting(format!(
                "{state} jobs are not pruned: use completed, discarded or cancelled"
            )));
        }
        let mut pruned = 0;
        loop {
            let batch: i64 = query_scalar(self.schema.statements().prune.clone())
                .bind([state.as_str()])
                .bind([interval(age)])
                .bind(self.schema.lock_key("prune by hand"))
                .bind(BATCH)
                .fetch_one(&self.pool)
                .await?;
            pruned += unsigned(batch);
            if batch < BATCH {
                return Ok(pruned);
            }
        }
    }

    /// Forgets the changes in the audit that are older; returns how many.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn prune_audit(&self, age: Duration) -> Result<u64, Error> {
        let mut forgotten = 0;
        loop {
            let prune =
                query_scalar(self.schema.statements().prune_audit.clone()).bind(interval(age)).bind(BATCH);
            let batch: i64 = prune.fetch_one(&self.pool).await?;
            forgotten += unsigned(batch);
            if batch < BATCH {
                return Ok(forgotten);
            }
        }
    }
}
