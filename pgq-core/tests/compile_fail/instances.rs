//! Instances that are none.

use pgq_core::Job;

#[derive(Job)]
#[job(instances(Convert<u8> = "convert_u8"), kind = "convert", enqueue_only)]
struct Convert<T>(T);

#[derive(Job)]
#[job(instances(Plain = "plain"), enqueue_only)]
struct Plain(u8);

#[derive(Job)]
#[job(instances(Other<u8> = "other"), enqueue_only)]
struct Misnamed<T>(T);

#[derive(Job)]
#[job(instances(Pair<u8> = "pair"), enqueue_only)]
struct Pair<A, B>(A, B);

#[derive(Job)]
#[job(instances(Twice<u8> = "twice", Twice<u16> = "twice"), enqueue_only)]
struct Twice<T>(T);

#[derive(Job)]
#[job(instances(NoKind<u8>), enqueue_only)]
struct NoKind<T>(T);

#[derive(Job)]
#[job(instances(BadKind<u8> = "bad kind"), enqueue_only)]
struct BadKind<T>(T);

trait Format {
    type Quality;
}

#[derive(Job)]
#[job(instances(Part<u8> = "part"), enqueue_only)]
struct Part<T: Format>(Option<T::Quality>);

impl Format for u8 {
    type Quality = u8;
}

fn main() {}
