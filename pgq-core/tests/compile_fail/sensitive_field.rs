//! A field that is not sensitive cannot be printed, and the derive prints it.

use pgq_core::Job;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Address;

#[derive(Job)]
#[job(sensitive(token), enqueue_only)]
struct SendToken {
    to: Address,
    token: String,
}

fn main() {}
