//! A field's type has no serde derive.

use pgq_core::{Context, Job, JobResult, Perform};

struct Address;

#[derive(Job)]
struct SendWelcome {
    to: Address,
}

impl Perform for SendWelcome {
    async fn perform(&self, _: &Context) -> JobResult {
        Ok(())
    }
}

fn main() {}
