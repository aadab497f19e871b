//! The state is a type that does not exist.

use pgq_core::{Context, Job, JobResult, Perform};

struct App;

#[derive(Job)]
#[job(state = Ap)]
struct SendWelcome;

impl Perform for SendWelcome {
    async fn perform(&self, _: &Context<App>) -> JobResult {
        Ok(())
    }
}

fn main() {}
