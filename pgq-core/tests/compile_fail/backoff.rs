//! A backoff that makes no sense.

use pgq_core::Job;

#[derive(Job)]
#[job(backoff = "30s")]
struct Text;

#[derive(Job)]
#[job(backoff = exponentail(base = "1s", max = "10m"))]
struct Mistyped;

#[derive(Job)]
#[job(backoff = fixed(30))]
struct Seconds;

#[derive(Job)]
#[job(backoff = exponential(base = "1s"))]
struct Endless;

#[derive(Job)]
#[job(backoff = exponential(base = "0s", max = "10m"))]
struct Zero;

#[derive(Job)]
#[job(backoff = exponential(base = "1h", max = "10m"))]
struct Reversed;

#[derive(Job)]
#[job(backoff = exponential(base = "1s", max = "10m", factor = 0.5))]
struct Shrinking;

#[derive(Job)]
#[job(backoff = exponential(base = "1s", max = "10m", jitter = 10))]
struct Percent;

#[derive(Job)]
#[job(backoff = exponential(base = "1s", max = "10m", jiter = 0.1))]
struct Part;

#[derive(Job)]
#[job(backoff = exponential(base = "1s", base = "1s", max = "10m"))]
struct Repeated;

#[derive(Job)]
#[job(retry_waits = ["1m"], backoff = fixed("30s"))]
struct Both;

fn main() {}
