//! A number is out of its range.

use pgq_core::Job;

#[derive(Job)]
#[job(priority = 40000)]
struct TooLarge;

#[derive(Job)]
#[job(priority = 1.5)]
struct Fraction;

#[derive(Job)]
#[job(max_attempts = 0)]
struct Zero;

#[derive(Job)]
#[job(max_attempts = -1)]
struct Negative;

#[derive(Job)]
#[job(max_attempts = 99999999999999999999)]
struct Huge;

fn main() {}
