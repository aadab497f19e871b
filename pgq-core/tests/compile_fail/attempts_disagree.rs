//! Two settings say different numbers of attempts.

use pgq_core::{Context, Job, JobResult, Perform};

#[derive(Job)]
#[job(retry_waits = ["1m", "10m"], max_attempts = 5)]
struct SendWelcome;

impl Perform for SendWelcome {
    async fn perform(&self, _: &Context) -> JobResult {
        Ok(())
    }
}

fn main() {}
