//! What operators do: look for jobs, change one or all that match a filter, pause and limit queues, see who runs what,
//! and ask why a job has not run.
//!
//! [`Admin`] does it, from any process. No answer counts without end: what could be millions is counted up to a limit
//! ([`Count`]), estimated, or looked at a page at a time. Every change leaves a row in `pgq.audit`, in the same
//! transaction.
//!
//! ```no_run
//! # async fn f(pool: sqlx::PgPool) -> Result<(), pgq_postgres::Error> {
//! use pgq_postgres::admin::{Admin, Filter, State};
//! let admin = Admin::new(&pool).actor("alice");
//! let broken = Filter::new().state(State::Discarded).kind("send_welcome").error("connection refused");
//! println!("{} jobs", admin.count(&broken).await?);
//! let bulk = admin.retry_all(&broken).await?;
//! println!("{} run again", bulk.changed);
//! # Ok(()) }
//! ```

mod audit;
mod bulk;
mod cancel;
mod change;
mod count;
mod doctor;
mod errors;
mod explain;
mod filter;
mod find;
mod job;
mod prune;
mod queues;
mod runners;

use std::time::{Duration, SystemTime};

use sqlx::{PgPool, Postgres, Transaction, query, query_scalar};

use crate::connection::begin;
use crate::time::Timestamp;
use crate::{Error, Schema, migrate};

pub use audit::Change;
pub use bulk::Bulk;
pub use cancel::Cancelled;
pub use change::{Changed, When};
pub use count::{COUNT_LIMIT, Count, StateCounts};
pub use doctor::{Finding, OLD_TRANSACTION, Severity};
pub use errors::ErrorGroup;
pub use explain::Explanation;
pub use filter::{Filter, State, UnknownState};
pub use find::{Found, JobSummary};
pub use job::{Failure, JobDetails};
pub use queues::QueueStatistics;
pub use runners::{InHand, RunnerStatus};

/// What operators do. Works from any process; see the [module](self).
///
/// ```no_run
/// # async fn f(pool: sqlx::PgPool) -> Result<(), pgq_postgres::Error> {
/// use pgq_postgres::{Admin, JobId};
/// let admin = Admin::new(&pool);
/// admin.pause("send_welcome").await?;
/// admin.cancel(JobId(7)).await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Admin {
    pool: PgPool,
    schema: Schema,
    actor: Option<String>,
}

impl Admin {
    /// Operates on the schema `pgq` through that pool.
    pub fn new(pool: &PgPool) -> Self {
        Self { pool: pool.clone(), schema: Schema::default(), actor: None }
    }

    /// On another schema.
    #[must_use]
    pub fn schema(self, schema: &Schema) -> Self {
        Self { schema: schema.clone(), ..self }
    }

    /// Who asks for the changes, as it shall stand in the audit beside the database's role.
    #[must_use]
    pub fn actor(self, actor: impl Into<String>) -> Self {
        Self { actor: Some(actor.into()), ..self }
    }

    /// The database's time, by which all times of jobs count.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn now(&self) -> Result<SystemTime, Error> {
        // In one transaction, and without a name for the statement, so that it works behind any pooler.
        let mut tx = begin(&self.pool, None).await?;
        let now = query_scalar::<_, Timestamp>(self.schema.statements().now.clone()).persistent(false);
        let now = now.fetch_one(&mut *tx).await?;
        tx.rollback().await?;
        Ok(now.0)
    }

    /// Whether the schema has the tables that this library works with.
    ///
    /// # Errors
    /// It does not, which says what to do; or a failure of the database.
    pub async fn check(&self) -> Result<(), Error> {
        migrate::check(&mut *self.pool.acquire().await?, &self.schema).await
    }

    /// Changes nothing, and sees one moment.
    async fn look(&self) -> Result<Transaction<'static, Postgres>, Error> {
        let mut tx = begin(&self.pool, Some(self.schema.statements().begin_look.clone())).await?;
        query(self.schema.statements().plan_for_values.clone()).execute(&mut *tx).await?;
        Ok(tx)
    }
}

/// Seconds as the database counts them; what is negative, as by a clock that was set back, is none.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default()
}

/// A count as the database gives it.
fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
