//! A text is no duration, or none that makes sense.

use pgq_core::Job;

#[derive(Job)]
#[job(timeout = "soon")]
struct Word;

#[derive(Job)]
#[job(timeout = "90")]
struct Unitless;

#[derive(Job)]
#[job(retry_waits = ["1m", "10 parsecs"])]
struct Unit;

#[derive(Job)]
#[job(timeout = "500years")]
struct Endless;

#[derive(Job)]
#[job(timeout = "0s")]
struct Zero;

#[derive(Job)]
#[job(timeout = "")]
struct Empty;

fn main() {}
