//! `perform` returns something else, or an error that is none.

use pgq_core::{Context, Job, JobResult, Perform};

#[derive(Job)]
struct SendWelcome;

impl Perform for SendWelcome {
    async fn perform(&self, _: &Context) {}
}

#[derive(Job)]
struct Converted;

impl Perform for Converted {
    async fn perform(&self, _: &Context) -> JobResult {
        Err(NoError)?;
        Ok(())
    }
}

struct NoError;

fn main() {}
