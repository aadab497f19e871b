use pgq_core::{JobId, Outcome};
use sqlx::PgPool;

use crate::{Error, Runner};

/// What happened in one attempt at one job.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// The job.
    pub id: JobId,
    /// Its kind.
    pub kind: &'static str,
    /// Which attempt it was; 1 is the first.
    pub attempt: i16,
    /// What became of it.
    pub outcome: Outcome,
}

/// Runs all jobs that are due, one after the other in the order of their priorities and in the caller's own task, until none
/// is; those that jobs enqueue for now and retries without a wait included. Returns the attempts in their order.
///
/// Knows every job that is linked into the test. For states, a schema or chosen queues use
/// [`Runner::drain`], which this calls.
///
/// # Errors
/// As [`Runner::drain`].
pub async fn drain(pool: &PgPool) -> Result<Vec<Drained>, Error> {
    Runner::from_registry().pool(pool.clone()).drain().await
}
