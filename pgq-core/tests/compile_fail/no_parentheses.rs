//! The attribute has no parentheses.

use pgq_core::Job;

#[derive(Job)]
#[job]
struct Bare;

#[derive(Job)]
#[job = "send_welcome"]
struct Text;

fn main() {}
