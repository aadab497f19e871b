//! A serde attribute is mistyped.

use pgq_core::{Context, Job, JobResult, Perform};

#[derive(Job)]
struct SendWelcome {
    #[serde(defaut)]
    user_id: i64,
}

impl Perform for SendWelcome {
    async fn perform(&self, _: &Context) -> JobResult {
        Ok(())
    }
}

fn main() {}
