//! The crate named in the attribute does not exist.

use pgq_core::Job;

#[derive(Job)]
#[job(crate = queue)]
struct SendWelcome;

fn main() {}
