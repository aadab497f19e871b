//! Two types of one kind in one program: a binary of its own, because they spoil the registry.

use pgq_core::{Context, Job, JobResult, Perform, Registry};

#[derive(Job)]
struct SendWelcome;

impl Perform for SendWelcome {
    async fn perform(&self, _: &Context) -> JobResult {
        Ok(())
    }
}

mod mail {
    #[derive(pgq_core::Job)]
    #[job(kind = "send_welcome")]
    struct Welcome;

    impl pgq_core::Perform for Welcome {
        async fn perform(&self, _: &pgq_core::Context) -> pgq_core::JobResult {
            Ok(())
        }
    }
}

#[test]
fn the_error_names_both_types_and_their_lines() {
    let error = Registry::linked().err().unwrap().to_string();
    let expected = format!(
        "two job types have the kind \"send_welcome\": duplicate_kind::SendWelcome at {file}:5 and \
         duplicate_kind::mail::Welcome at {file}:15; rename one, or give it another with #[job(kind = \"..\")]",
        file = file!(),
    );
    assert_eq!(error, expected);
}
