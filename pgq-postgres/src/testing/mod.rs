//! For tests of one's own jobs; with the Cargo feature `testing`.
//!
//! - [`context`] makes a context, so that a test calls `perform` itself.
//! - [`assert_enqueued!`](crate::assert_enqueued) and [`assert_not_enqueued!`](crate::assert_not_enqueued) look for a job in the
//!   database; [`enqueued`] returns them all.
//! - [`drain`] runs all that is due in the test's own task, and says what happened to each job. [`travel`] makes due
//!   what is scheduled, without waiting.
//! - [`assert_frozen!`](crate::assert_frozen) fails when a payload's layout changes without a new version.
//!
//! ```no_run
//! # use pgq_postgres::{Context, Enqueue, Job, JobResult, Outcome, Perform, assert_enqueued, assert_not_enqueued, testing};
//! # use std::time::Duration;
//! # #[derive(Job)] struct SendWelcome { user_id: i64 }
//! # impl Perform for SendWelcome { async fn perform(&self, _: &Context) -> JobResult { Ok(()) } }
//! # async fn sign_up(_: &sqlx::PgPool) -> Result<(), pgq_postgres::Error> { Ok(()) }
//! # async fn f(pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
//! assert!(SendWelcome { user_id: 7 }.perform(&testing::context(()).build()).await.is_ok());
//!
//! sign_up(&pool).await?;
//! assert_enqueued!(&pool, SendWelcome { user_id: 7 }, after = Duration::from_secs(3600));
//! assert_not_enqueued!(&pool, SendWelcome where |job| job.user_id != 7);
//!
//! testing::travel(&pool, Duration::from_secs(3600)).await?;
//! let done = testing::drain(&pool).await?;
//! assert_eq!(done[0].outcome, Outcome::Complete);
//! # Ok(()) }
//! ```

mod context;
mod drain;
mod enqueued;
mod frozen;
mod travel;

pub use context::{TestContext, context};
pub use drain::{Drained, drain};
pub use enqueued::{EnqueuedJob, Expected, enqueued};
pub use frozen::assert_frozen_in;
pub use travel::travel;

use sqlx::SqlStr;

/// A statement of this module for the schema `pgq`.
fn statement(text: &'static str) -> SqlStr {
    crate::sql::render(text, crate::Schema::default().name())
}
