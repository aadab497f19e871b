//! Both derives on one type: that of the job brings the other.

use pgq_core::{Job, Shape};

#[derive(Job, Shape)]
#[job(enqueue_only)]
struct Both(u8);

fn main() {}
