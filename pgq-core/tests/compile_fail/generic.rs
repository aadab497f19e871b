//! A job has parameters.

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
struct Borrowed<'a> {
    to: &'a str,
}

#[derive(Job)]
struct Sized<const N: usize> {
    to: [u8; N],
}

fn main() {}
