//! What a pgq job is: its traits, its policies, its payload and the registry that finds it.
//!
//! A crate that only defines jobs depends on this one alone; an application depends on `pgq-postgres`, which
//! re-exports everything here and adds the runner. Nothing in this crate speaks SQL, spawns a task or reads
//! a clock: policy is pure functions.

mod context;
mod handler;
mod job;
mod middleware;
mod name;
mod options;
mod outcome;
mod payload;
mod registry;
mod retry;
mod schedule;
mod shape;
mod slow_down;
mod trace;
mod unique;

#[doc(hidden)]
pub mod __private;

/// For [`Middleware`], whose trait is async and object-safe.
pub use async_trait::async_trait;
pub use context::{Attempt, Context, JobId, Run};
pub use handler::{Handler, States};
pub use job::{Job, Perform, PerformFor};
pub use middleware::{Call, Middleware, Next};
pub use name::{Kind, MAX_NAME_BYTES, NameError, QueueName, ScheduleName};
pub use options::JobOptions;
pub use outcome::{ErrorKind, JobError, JobResult, Outcome, decide};
#[cfg(feature = "bincode")]
pub use payload::Bincode;
pub use payload::{
    BoxError, Codec, Json, MAX_INDEX_BYTES, MAX_PAYLOAD_BYTES, PayloadError, Stored, decode, encode,
};
pub use pgq_macros::{Job, Shape};
pub use registry::{Registration, Registry, RegistryError};
pub use retry::{DEFAULT_WAITS, Retry};
pub use schedule::{MAX_MISSED, Missed, ON_TIME, Overlap};
pub use shape::Shape;
pub use slow_down::{SLOW_DOWN_FIRST, SLOW_DOWN_LONGEST, slow_down};
pub use trace::{MAX_TRACE_STATE_BYTES, Trace, TraceError, TraceParent, TraceState};
pub use unique::{HeldWhile, OnConflict, Unique, UniqueKey};
