//! A value that performs nothing is given as a handler.

use pgq_core::{Job, Registry};

#[derive(Job)]
#[job(enqueue_only)]
struct SendWelcome;

struct Mailer;

fn main() {
    let _ = Registry::default().add_handler::<SendWelcome, _>(Mailer);
}
