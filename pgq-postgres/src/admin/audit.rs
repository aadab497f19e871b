use std::time::SystemTime;

use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{Row, query};

use super::{Admin, unsigned};
use crate::Error;
use crate::time::Timestamp;

/// What an operator did.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Change {
    /// When.
    pub at: SystemTime,
    /// The role of the database's session.
    pub role: String,
    /// Who, by the word of the program; see [`Admin::actor`].
    pub actor: Option<String>,
    /// `retry`, `cancel`, `discard`, `reprioritise`, `reschedule`, `pause`, `resume` or `limit`; `prune`, with state, age and
    /// number in the detail, or `prune_audit`, with age and number; `put_schedule`, `change_schedule`, `pause_schedule`,
    /// `resume_schedule` or `delete_schedule`, with its name in the detail.
    pub action: String,
    /// The queue that was changed.
    pub queue: Option<String>,
    /// How many jobs were: each batch of a bulk change, or of pruning, has a row.
    pub jobs: u64,
    /// The filter of a bulk change, what was set, or what was pruned.
    pub detail: Option<Value>,
}

impl Change {
    pub(super) fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            at: row.try_get::<Timestamp, _>("at")?.0,
            role: row.try_get("role")?,
            actor: row.try_get("actor")?,
            action: row.try_get("action")?,
            queue: row.try_get("queue")?,
            jobs: unsigned(row.try_get::<i32, _>("jobs")?.into()),
            detail: row.try_get::<Option<Json<_>>, _>("detail")?.map(|Json(detail)| detail),
        })
    }
}

impl Admin {
    /// The last changes that operators made, the latest first.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn audit(&self, limit: usize) -> Result<Vec<Change>, Error> {
        let audit =
            query(self.schema.statements().audit.clone()).bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = audit.fetch_all(&self.pool).await?;
        Ok(rows.iter().map(Change::read).collect::<Result<_, _>>()?)
    }
}
