//! A name has characters that names may not have.

use pgq_core::Job;

#[derive(Job)]
#[job(kind = "send welcome")]
struct Space;

#[derive(Job)]
#[job(queue = "")]
struct Empty;

#[derive(Job)]
struct Überweisung;

fn main() {}
