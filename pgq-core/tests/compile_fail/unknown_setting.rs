//! A setting is mistyped, or guessed.

use pgq_core::{Context, Job, JobResult, Perform};

#[derive(Job)]
#[job(retry_wait = ["1m"], state = App)]
struct Mistyped;

struct App;

impl Perform for Mistyped {
    async fn perform(&self, _: &Context<App>) -> JobResult {
        Ok(())
    }
}

#[derive(Job)]
#[job(retries = 3)]
struct Guessed;

impl Perform for Guessed {
    async fn perform(&self, _: &Context) -> JobResult {
        Ok(())
    }
}

fn main() {}
