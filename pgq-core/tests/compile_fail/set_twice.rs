//! A setting is given twice.

use pgq_core::{Context, Job, JobResult, Perform};

#[derive(Job)]
#[job(kind = "a", queue = "mail")]
#[job(kind = "b")]
struct SendWelcome;

impl Perform for SendWelcome {
    async fn perform(&self, _: &Context) -> JobResult {
        Ok(())
    }
}

fn main() {}
