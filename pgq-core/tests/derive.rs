//! What the derive makes of a type.

#![forbid(unsafe_code)]

use std::time::Duration;

use pgq_core::{Context, Job, JobResult, Perform, Registry, Retry, decode, encode};

#[derive(Job)]
struct SendWelcome {
    user_id: i64,
}

impl Perform for SendWelcome {
    async fn perform(&self, _: &Context) -> JobResult {
        Ok(())
    }
}

#[test]
fn smoke() {
    assert_eq!(SendWelcome::KIND, "send_welcome");
    assert_eq!(SendWelcome::QUEUE, "send_welcome");
    assert_eq!(SendWelcome::MAX_ATTEMPTS, 4);
    assert_eq!(SendWelcome::RETRY, Retry::DEFAULT);
    assert_eq!(SendWelcome::TIMEOUT, None::<Duration>);
    let bytes = encode(&SendWelcome { user_id: 7 }).unwrap();
    assert_eq!(decode::<SendWelcome>(&bytes).unwrap().user_id, 7);
    assert_eq!(Registry::linked().unwrap().iter().count(), 1);
}
