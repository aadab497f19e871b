//! A codec that is none.

use pgq_core::Job;

#[derive(Job)]
#[job(codec = "cbor", enqueue_only)]
struct Unknown;

#[derive(Job)]
#[job(codec = 7, enqueue_only)]
struct Number;

#[derive(Job)]
#[job(codec = Cbor, enqueue_only)]
struct NoCodec;

struct Cbor;

fn main() {}
