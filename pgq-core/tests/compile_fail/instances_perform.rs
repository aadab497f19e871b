//! One `perform` for all instances, also for those that are no jobs.

use pgq_core::{Context, Job, JobResult, Perform};

#[derive(Job)]
#[job(instances(Notify<u8> = "notify"), enqueue_only)]
struct Notify<T>(T);

impl<T: Send + Sync + 'static> Perform for Notify<T> {
    async fn perform(&self, _: &Context) -> JobResult {
        Ok(())
    }
}

fn main() {}
