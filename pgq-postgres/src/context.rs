use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use pgq_core::Context;
use sqlx::{PgPool, Postgres, Transaction, query_scalar};
use uuid::Uuid;

use crate::Error;
use crate::connection::begin;
use crate::runner::Shared;

/// What a handler does with the database beside its job.
///
/// ```no_run
/// use pgq_postgres::{Context, DatabaseContext, Job, JobResult, Perform};
///
/// #[derive(Job)]
/// #[job(transactional)]
/// struct Charge { cents: i64 }
///
/// impl Perform for Charge {
///     async fn perform(&self, ctx: &Context) -> JobResult {
///         let mut tx = ctx.begin().await?;
///         sqlx::query("insert into charges (cents) values ($1)").bind(self.cents).execute(&mut *tx).await?;
///         Ok(ctx.complete_in(tx).await?) // the charge and the completion: both, or neither
///     }
/// }
/// ```
pub trait DatabaseContext {
    /// The pool given to the runner, or one of its own for handlers if it was given none.
    ///
    /// # Errors
    /// Outside of a runner, as in a test of the handler alone.
    fn pool(&self) -> Result<&PgPool, Error>;

    /// Begins a transaction on [`pool`](Self::pool).
    ///
    /// # Errors
    /// As `pool`, and a failure of the database.
    fn begin(&self) -> impl Future<Output = Result<Transaction<'static, Postgres>, Error>> + Send;

    /// Completes the job in that transaction and commits it: what the transaction did and the completion happen
    /// both, or neither. What the handler returns afterwards changes nothing more. Needs
    /// `#[job(transactional)]` on the type.
    ///
    /// # Errors
    /// [`Error::LeaseLost`] if the job has passed to another runner, after rolling back; a type that is not
    /// transactional; or a failure of the database.
    fn complete_in(&self, tx: Transaction<'_, Postgres>) -> impl Future<Output = Result<(), Error>> + Send;
}

/// What [`DatabaseContext`] finds in a context.
pub(crate) enum Extension {
    /// The runner that made it.
    InRunner(InRunner),
    /// The database of a test that calls a handler itself.
    #[cfg(feature = "testing")]
    Detached(PgPool),
}

/// What the runner gives each attempt.
pub(crate) struct InRunner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) lease: Uuid,
    pub(crate) transactional: bool,
    /// The handler has completed the job.
    pub(crate) completed: AtomicBool,
}

impl<S: Send + Sync> DatabaseContext for Context<S> {
    fn pool(&self) -> Result<&PgPool, Error> {
        match extension(self)? {
            Extension::InRunner(job) => Ok(&job.shared.pool),
            #[cfg(feature = "testing")]
            Extension::Detached(pool) => Ok(pool),
        }
    }

    async fn begin(&self) -> Result<Transaction<'static, Postgres>, Error> {
        Ok(begin(self.pool()?, None).await?)
    }

    async fn complete_in(&self, mut tx: Transaction<'_, Postgres>) -> Result<(), Error> {
        let Some(job) = extension(self)?.in_runner() else { return Ok(tx.commit().await?) };
        if !job.transactional {
            return Err(Error::NotTransactional);
        }
        let held: Option<Uuid> = query_scalar(job.shared.statements().complete_in.clone())
            .persistent(job.shared.keeps_statements())
            .bind(job.shared.id)
            .bind(job.lease)
            .bind(job.shared.settings.keep_completed.is_some())
            .fetch_optional(&mut *tx)
            .await?;
        if held.is_none() {
            tx.rollback().await?;
            return Err(Error::LeaseLost);
        }
        tx.commit().await?;
        job.completed.store(true, SeqCst);
        Ok(())
    }
}

fn extension<S>(context: &Context<S>) -> Result<&Extension, Error> {
    context.__runner().and_then(|runner| runner.downcast_ref()).ok_or(Error::NoRunner)
}

impl Extension {
    /// None where a test calls the handler itself.
    fn in_runner(&self) -> Option<&InRunner> {
        match self {
            Self::InRunner(job) => Some(job),
            #[cfg(feature = "testing")]
            Self::Detached(_) => None,
        }
    }

    /// Whether the handler has completed its job.
    pub(crate) fn is_completed(&self) -> bool {
        self.in_runner().is_some_and(|job| job.completed.load(SeqCst))
    }
}
