//! The older version is of another kind, or is no older.

use pgq_core::Job;

#[derive(Job)]
#[job(kind = "send", enqueue_only)]
struct SendV1(i64);

#[derive(Job)]
#[job(version = 2, upcast_from = SendV1, enqueue_only)]
struct OtherKind(i64);

#[derive(Job)]
#[job(kind = "send", version = 2, upcast_from = SameVersion, enqueue_only)]
struct SameVersion(i64);

impl From<SendV1> for OtherKind {
    fn from(SendV1(n): SendV1) -> Self {
        Self(n)
    }
}

fn main() {}
