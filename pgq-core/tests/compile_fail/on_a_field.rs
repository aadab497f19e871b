//! The attribute stands on a field or a variant.

use pgq_core::Job;

#[derive(Job)]
struct SendWelcome {
    #[job(kind = "send")]
    user_id: i64,
}

#[derive(Job)]
enum Mail {
    #[job(queue = "mail")]
    Welcome {
        #[job(timeout = "30s")]
        user_id: i64,
    },
}

fn main() {}
