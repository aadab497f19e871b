//! A type has no value, or none that can be told.

use pgq_core::Job;

#[derive(Job)]
enum Nothing {}

#[derive(Job)]
union Either {
    a: u32,
    b: f32,
}

fn main() {}
