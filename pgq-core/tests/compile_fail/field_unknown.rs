//! A field's type does not exist.

use pgq_core::{Context, Job, JobResult, Perform};

#[derive(Job)]
struct SendWelcome {
    to: Adress,
}

impl Perform for SendWelcome {
    async fn perform(&self, _: &Context) -> JobResult {
        Ok(())
    }
}

fn main() {}
