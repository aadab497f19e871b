use std::sync::Arc;
use std::time::Duration;

use pgq_core::{JobId, NameError, PayloadError, RegistryError, TraceError};
use thiserror::Error;

/// Everything that can go wrong outside a handler.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The runner was given neither a pool nor `DATABASE_URL`.
    #[error(
        "no database: set DATABASE_URL, for example postgres://user:password@localhost/app, or use .pool(..)"
    )]
    NoDatabase,
    /// `DATABASE_URL` is no address of a Postgres database.
    #[error("DATABASE_URL is not a postgres:// address: {0}")]
    DatabaseUrl(String),
    /// The database could not be reached at start.
    #[error("could not reach the database {address} in {tries} tries over {waited:?}: is it running?")]
    Unreachable {
        /// Host, port and database; no password.
        address: String,
        /// How often it was tried.
        tries: u32,
        /// For how long.
        waited: Duration,
        /// What the last try said.
        source: sqlx::Error,
    },
    /// The address is that of a transaction pooler, which the runner was not told.
    #[error(
        "this is no server but a pooler that refuses sessions settings of their own: call \
         Runner::transaction_pooler(), or give the runner the server's own address"
    )]
    Pooler(#[source] sqlx::Error),
    /// The schema has no tables of ours, or too old ones.
    #[error(
        "the schema {schema:?} has migration {found}, this program needs {needed}: \
         call pgq_postgres::migrate(&pool) or apply the files in migrations/"
    )]
    NotMigrated {
        /// The schema.
        schema: String,
        /// The newest migration applied; 0 for none.
        found: i32,
        /// The newest migration this library knows.
        needed: i32,
    },
    /// The tables were changed by a newer library in a way that this one cannot work with.
    #[error(
        "the schema {schema:?} needs a library that knows migration {needs}, this program's knows {known}: \
         build it with the newer pgq-postgres"
    )]
    SchemaTooNew {
        /// The schema.
        schema: String,
        /// What the schema asks for.
        needs: i32,
        /// The newest migration this library knows.
        known: i32,
    },
    /// No job is linked into this program.
    #[error(
        "no job is linked into this program: derive Job on a type, and where the jobs live in another crate, \
         name that crate once (use my_jobs as _;)"
    )]
    EmptyRegistry,
    /// `.queues([..])` was given an empty list.
    #[error("a runner needs at least one queue: .queues([..]) was given none")]
    NoQueues,
    /// The job types contradict each other or lack their state.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A queue's name is not valid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The payload cannot be stored.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// What should say which trace the job belongs to does not.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The time to run at is too far away.
    #[error("this job would run after the year 9999: the latest run_at is 9999-12-31T23:59:59Z")]
    RunAtTooLate,
    /// A unique job is there already, and its policy makes that an error.
    #[error("job {job} holds the key of this unique {kind} job")]
    Duplicate {
        /// The kind of the job.
        kind: &'static str,
        /// The job that is there.
        job: JobId,
    },
    /// The job has passed to another runner: this attempt must change nothing any more.
    #[error("the lease of this job is lost: another runner has it, and this transaction was rolled back")]
    LeaseLost,
    /// `complete_in` on a type that shares leases with others.
    #[error("complete_in needs a lease of the job's own: put #[job(transactional)] on its type")]
    NotTransactional,
    /// The context does not come from a runner.
    #[error("this context has no database: it was not made by a runner")]
    NoRunner,
    /// A job could not be cancelled.
    #[error("job {0} was on the move at every look and is not cancelled: try again")]
    OnTheMove(JobId),
    /// There can be no such schedule.
    #[cfg(feature = "cron")]
    #[error(transparent)]
    Cron(#[from] pgq_cron::CronError),
    /// There is no schedule of that name.
    #[error("there is no schedule {0:?}: Schedules::list says which there are")]
    NoSchedule(String),
    /// A setting makes no sense.
    #[error("{0}")]
    Setting(String),
    /// The database refused or failed.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The same, told to each caller of an [`Enqueuer`](crate::Enqueuer) whose jobs were written together.
    #[error(transparent)]
    Shared(Arc<Self>),
    /// The operating system refused a thread.
    #[error("could not start the heartbeat's thread")]
    Thread(#[source] std::io::Error),
}
