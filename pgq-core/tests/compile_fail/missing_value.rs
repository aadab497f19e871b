//! A setting has no value, or no key.

use pgq_core::Job;

#[derive(Job)]
#[job(kind)]
struct Bare;

#[derive(Job)]
#[job(kind =, queue = "mail")]
struct Cut;

#[derive(Job)]
#[job(timeout("30s"))]
struct Called;

#[derive(Job)]
#[job("send_welcome")]
struct Keyless;

#[derive(Job)]
#[job(kind = "a" queue = "b")]
struct Commaless;

fn main() {}
