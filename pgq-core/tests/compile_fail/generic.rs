//! A generic job whose instances are not listed, or a job with a lifetime.

use pgq_core::{Context, Job, JobResult, Perform};

#[derive(Job)]
struct Notify<T> {
    to: T,
}

impl<T: Send + Sync + 'static> Perform for Notify<T> {
    async fn perform(&self, _: &Context) -> JobResult {
        Ok(())
    }
}

#[derive(Job)]
#[job(enqueue_only)]
struct Borrowed<'a>(&'a str);

fn main() {}
