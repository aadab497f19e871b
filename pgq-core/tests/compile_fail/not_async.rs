//! `perform` is not async.

use pgq_core::{Context, Job, JobResult, Perform};

#[derive(Job)]
struct SendWelcome;

impl Perform for SendWelcome {
    fn perform(&self, _: &Context) -> JobResult {
        Ok(())
    }
}

fn main() {}
