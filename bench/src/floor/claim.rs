//! The claim of the bare SQL.

use anyhow::Result;
use sqlx::{PgConnection, query_as};
use uuid::Uuid;

/// By these it is known in the server's list of sessions.
pub(crate) const FIRST_WORDS: &str = include_str!("../sql/floor_claim.sql");

/// A claimed batch.
pub(crate) struct Lease {
    pub(crate) id: Uuid,
    pub(crate) ids: Vec<i64>,
    pub(crate) payloads: Vec<Option<Vec<u8>>>,
}

/// What a runner needs of a lease, decoded as the runner has to.
type Row = (Uuid, Vec<i64>, String, Vec<i16>, Vec<Option<Vec<u8>>>);

/// Takes so many jobs of the queue, if there are any.
pub(crate) async fn claim(
    connection: &mut PgConnection,
    queue: &str,
    batch: u32,
    runner: Uuid,
) -> Result<Option<Lease>> {
    let lease: Option<Row> = query_as(include_str!("../sql/floor_claim.sql"))
        .bind(queue)
        .bind(i64::from(batch))
        .bind(runner)
        .fetch_optional(connection)
        .await?;
    Ok(lease.map(|(id, ids, _, _, payloads)| Lease { id, ids, payloads }))
}
