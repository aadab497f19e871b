//! A schedule that does not know its job.

use pgq_core::Job;

#[derive(Job)]
#[job(cron = "0 9 * * *", enqueue_only)]
struct NoDefault {
    team: i64,
}

#[derive(Job)]
#[job(cron = "0 9 * * *", payload = 7, enqueue_only)]
struct OfAnotherType {
    team: i64,
}

fn main() {}
