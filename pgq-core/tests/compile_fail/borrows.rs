//! A job borrows its data.

use pgq_core::{Context, Job, JobResult, Perform};

#[derive(Job)]
struct SendWelcome {
    to: &'static str,
    lines: Vec<&'static str>,
}

impl Perform for SendWelcome {
    async fn perform(&self, _: &Context) -> JobResult {
        Ok(())
    }
}

fn main() {}
