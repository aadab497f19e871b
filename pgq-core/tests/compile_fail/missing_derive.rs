//! The job is written, and the derive is forgotten.

use pgq_core::{Context, JobResult, Perform};

struct SendWelcome {
    user_id: i64,
}

impl Perform for SendWelcome {
    async fn perform(&self, _: &Context) -> JobResult {
        Ok(())
    }
}

fn main() {}
