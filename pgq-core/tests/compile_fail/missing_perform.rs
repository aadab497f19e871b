//! The job is derived, and what it does is still to be written.

use pgq_core::Job;

#[derive(Job)]
struct SendWelcome {
    user_id: i64,
}

fn main() {}
