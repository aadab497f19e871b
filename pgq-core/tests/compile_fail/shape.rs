//! `#[derive(Shape)]` where it cannot stand, or with an attribute that it has not.

use pgq_core::{Job, Shape};

#[derive(Shape)]
union Either {
    a: u32,
    b: f32,
}

#[derive(Shape)]
#[shape(skip)]
struct OnTheType;

#[derive(Job)]
#[job(enqueue_only)]
struct OnTheField(#[shape(ignore)] u8);

fn main() {}
