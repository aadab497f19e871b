//! Settings that choose fields choose none, or what is no field.

use pgq_core::Job;

#[derive(Job)]
#[job(sensitive(tokn), enqueue_only)]
struct Mistyped {
    token: String,
    user_id: i64,
}

#[derive(Job)]
#[job(index(0), enqueue_only)]
struct Numbered(i64);

#[derive(Job)]
#[job(index(user_id), enqueue_only)]
struct Tuple(i64);

#[derive(Job)]
#[job(index, enqueue_only)]
struct NoneChosen {
    user_id: i64,
}

#[derive(Job)]
#[job(index("user_id"), enqueue_only)]
struct Quoted {
    user_id: i64,
}

#[derive(Job)]
#[job(sensitive(token), index(user_id, token), enqueue_only)]
struct FoundAndHidden {
    token: String,
    user_id: i64,
}

#[derive(Job)]
#[job(sensitive(rest), codec = "json", enqueue_only)]
struct Flattened {
    #[serde(flatten)]
    rest: std::collections::BTreeMap<String, String>,
}

#[derive(Job)]
#[job(sensitive(token, token), enqueue_only)]
struct Repeated {
    token: String,
}

fn main() {}
