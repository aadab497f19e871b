//! A type with sensitive fields derives `Debug`, which would show them.

use pgq_core::Job;

#[derive(Job, Debug)]
#[job(sensitive(token), enqueue_only)]
struct SendToken {
    token: String,
}

fn main() {}
