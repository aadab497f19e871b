//! The attribute and `perform` name different states.

use pgq_core::{Context, Job, JobResult, Perform};

struct App;

#[derive(Job)]
struct Unsaid;

impl Perform for Unsaid {
    async fn perform(&self, _: &Context<App>) -> JobResult {
        Ok(())
    }
}

#[derive(Job)]
#[job(state = App)]
struct Said;

impl Perform for Said {
    async fn perform(&self, _: &Context) -> JobResult {
        Ok(())
    }
}

fn main() {}
