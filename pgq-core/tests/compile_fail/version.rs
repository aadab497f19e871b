//! A version that makes no sense.

use pgq_core::Job;

#[derive(Job)]
#[job(version = 0)]
struct Zero;

#[derive(Job)]
#[job(version = "2")]
struct Text;

#[derive(Job)]
#[job(upcast_from = Zero)]
struct First;

#[derive(Job)]
#[job(enqueue_only = true)]
struct Flag;

fn main() {}
