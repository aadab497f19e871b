use std::time::Duration;

use sqlx::{PgExecutor, query_scalar};

use super::statement;
use crate::Error;
use crate::time::interval;

/// Moves all that is scheduled nearer by that time, as if it had passed: delayed jobs, retries, snoozes, pauses of slow
/// queues and the periods of unique keys. Returns how many jobs it moved.
///
/// # Errors
/// A failure of the database.
pub async fn travel<'c>(executor: impl PgExecutor<'c> + 'c, by: Duration) -> Result<i64, Error> {
    let travel = query_scalar(statement(include_str!("sql/travel.sql"))).bind(interval(by));
    Ok(travel.fetch_one(executor).await?)
}
