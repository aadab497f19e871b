//! A newer version cannot be made of the older one.

use pgq_core::Job;

#[derive(Job)]
#[job(kind = "send", enqueue_only)]
struct SendV1(i64);

#[derive(Job)]
#[job(kind = "send", version = 2, upcast_from = SendV1, enqueue_only)]
struct NoConversion(i64);

#[derive(Job)]
#[job(kind = "send", version = 2, upcast_from = NoJob, enqueue_only)]
struct OfNoJob(i64);

struct NoJob;

impl From<NoJob> for OfNoJob {
    fn from(_: NoJob) -> Self {
        Self(0)
    }
}

fn main() {}
