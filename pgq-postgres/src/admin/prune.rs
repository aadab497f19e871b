use std::time::Duration;

use sqlx::{query_as, query_scalar};

use super::{Admin, State, unsigned};
use crate::Error;
use crate::time::{Timestamp, interval};

/// How many jobs one statement deletes.
const BATCH: i64 = 1000;

impl Admin {
    /// Deletes the jobs that came to this end longer ago than that, with their bodies and failures; returns how many.
    /// Runners do so by themselves, by their own ages. Each batch leaves a row in the audit; what runners delete leaves none.
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
            let batch: i64 = query_scalar(self.schema.statements().prune_by_hand.clone())
                .bind(state.as_str())
                .bind(interval(age))
                .bind(self.schema.lock_key("prune by hand"))
                .bind(BATCH)
                .bind(&self.actor)
                .fetch_one(&self.pool)
                .await?;
            pruned += unsigned(batch);
            if batch < BATCH {
                return Ok(pruned);
            }
        }
    }

    /// Forgets the changes in the audit that are older; returns how many. Each batch leaves a row there itself.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn prune_audit(&self, age: Duration) -> Result<u64, Error> {
        let (mut forgotten, mut before) = (0, None::<Timestamp>);
        loop {
            let prune = query_as(self.schema.statements().prune_audit.clone())
                .bind(interval(age))
                .bind(BATCH)
                .bind(&self.actor)
                .bind(before);
            let (batch, end): (i64, Timestamp) = prune.fetch_one(&self.pool).await?;
            forgotten += unsigned(batch);
            if batch < BATCH {
                return Ok(forgotten);
            }
            before = Some(end);
        }
    }
}
