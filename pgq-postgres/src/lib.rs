//! Typed background jobs for Rust programs that already have Postgres.
//!
//! Derive [`Job`] on a struct, say what it does in [`Perform`], [`enqueue`](Enqueue::enqueue) it with a pool or
//! inside a transaction, and let a [`Runner`] run it. An application depends on this crate alone; everything
//! of `pgq-core` is re-exported here.

pub mod admin;
mod connection;
mod context;
mod enqueue;
mod error;
mod meter;
mod migrate;
mod packed;
mod runner;
#[cfg(feature = "cron")]
mod schedules;
mod schema;
mod sql;
#[cfg(feature = "metrics")]
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
mod trace;

#[doc(hidden)]
pub use pgq_core::__private;
#[doc(inline)]
pub use pgq_core::__private::{JobTrait as Job, ShapeTrait as Shape};
#[cfg(feature = "bincode")]
#[doc(inline)]
pub use pgq_core::Bincode;
#[doc(inline)]
pub use pgq_core::{
    Attempt, BoxError, Call, Codec, Context, DEFAULT_WAITS, ErrorKind, Handler, HeldWhile, JobError, JobId,
    JobOptions, JobResult, Json, Kind, MAX_INDEX_BYTES, MAX_MISSED, MAX_NAME_BYTES, MAX_PAYLOAD_BYTES,
    MAX_TRACE_STATE_BYTES, Middleware, Missed, NameError, Next, ON_TIME, OnConflict, Outcome, Overlap,
    PayloadError, Perform, PerformFor, QueueName, Registration, Registry, RegistryError, Retry, Run,
    SLOW_DOWN_FIRST, SLOW_DOWN_LONGEST, ScheduleName, States, Stored, Trace, TraceError, TraceParent,
    TraceState, Unique, UniqueKey, async_trait, decide, decode, encode, slow_down,
};
#[doc(inline)]
pub use pgq_macros::{PostgresJob as Job, PostgresShape as Shape};

pub use admin::{Admin, Cancelled};
pub use context::DatabaseContext;
pub use enqueue::{Enqueue, Enqueueable, Enqueued, Enqueuer, Prepared, ToEnqueue, enqueue_all};
pub use error::Error;
pub use migrate::{grants_sql, migrate, migrate_schema};
pub use runner::{Health, Runner, RunnerCounts, RunnerHandle};
#[cfg(feature = "cron")]
pub use schedules::{Cron, CronError, Schedule, ScheduleChange, ScheduleInfo, Schedules, Ticks};
pub use schema::{MAX_SCHEMA_BYTES, Schema, SchemaError};

/// Compiles the code in the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// Compiles the examples of the settings.
#[cfg(doctest)]
#[doc = include_str!("../../docs/jobs.md")]
struct Jobs;

/// Compiles the examples of telemetry.
#[cfg(doctest)]
#[doc = include_str!("../../docs/telemetry.md")]
struct Telemetry;

/// Compiles the examples of schedules.
#[cfg(all(doctest, feature = "cron"))]
#[doc = include_str!("../../docs/schedules.md")]
struct SchedulesPage;
