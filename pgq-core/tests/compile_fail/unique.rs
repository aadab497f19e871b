//! `unique` with what it does not have.

use pgq_core::Job;

#[derive(Job)]
#[job(unique(user, while = queued), enqueue_only)]
struct Mistyped {
    user_id: i64,
}

#[derive(Job)]
#[job(unique(user_id, while = running), enqueue_only)]
struct While {
    user_id: i64,
}

#[derive(Job)]
#[job(unique(user_id, period = 3600), enqueue_only)]
struct Seconds {
    user_id: i64,
}

#[derive(Job)]
#[job(unique(user_id, period = "0s"), enqueue_only)]
struct Zero {
    user_id: i64,
}

#[derive(Job)]
#[job(unique(user_id, on_conflict = "keep"), enqueue_only)]
struct Quoted {
    user_id: i64,
}

#[derive(Job)]
#[job(unique(user_id, conflict = keep), enqueue_only)]
struct Guessed {
    user_id: i64,
}

#[derive(Job)]
#[job(unique = true, enqueue_only)]
struct Flag {
    user_id: i64,
}

fn main() {}
