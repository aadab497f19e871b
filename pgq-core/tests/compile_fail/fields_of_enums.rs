//! Fields are named of types that have none of their own.

use pgq_core::Job;

#[derive(Job)]
#[job(unique(user_id), enqueue_only)]
enum Mail {
    Welcome { user_id: i64 },
}

#[derive(Job)]
#[job(sensitive(user_id), enqueue_only)]
#[serde(into = "i64", from = "i64")]
struct Converted {
    user_id: i64,
}

#[derive(Job)]
#[job(unique(), enqueue_only)]
struct Empty {
    user_id: i64,
}

fn main() {}
