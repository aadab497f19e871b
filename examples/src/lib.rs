//! What the web server and the worker share: the job, and the endpoints that tell of the runner.
#![cfg(feature = "telemetry")]

mod jobs;
mod operations;

pub use jobs::{Mailer, SendWelcome};
pub use operations::{operations, record};
