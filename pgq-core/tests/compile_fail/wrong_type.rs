//! The value of a setting is of the wrong type.

use pgq_core::Job;

#[derive(Job)]
#[job(timeout = 30)]
struct Number;

#[derive(Job)]
#[job(timeout = 30s)]
struct Unquoted;

#[derive(Job)]
#[job(priority = "high")]
struct Text;

#[derive(Job)]
#[job(kind = SendWelcome)]
struct Name;

#[derive(Job)]
#[job(state = "App")]
struct Quoted;

#[derive(Job)]
#[job(retry_waits = "1m")]
struct Single;

#[derive(Job)]
#[job(retry_waits = [60, 600])]
struct Seconds;

#[derive(Job)]
#[job(kind = concat!("send", "_welcome"))]
struct Computed;

#[derive(Job)]
#[job(crate = "pgq_core")]
struct Root;

fn main() {}
