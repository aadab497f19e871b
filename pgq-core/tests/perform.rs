//! What a handler's body may look like, and what becomes of its errors.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use pgq_core::{Attempt, Context, ErrorKind, Job, JobError, JobId, JobResult, Perform, Run};
use pgq_core::{Registration, RegistryError, States, Stored, encode};

/// Fails in the way that its value says.
#[derive(Job)]
enum Fail {
    Io,
    Text,
    Message(String),
    Anyhow,
    Boxed,
    Discard,
    Not,
}

impl Perform for Fail {
    async fn perform(&self, _: &Context) -> JobResult {
        match self {
            Self::Io => Err(io::Error::other("the disk"))?,
            Self::Text => Err("a text")?,
            Self::Message(message) => Err(message.clone())?,
            Self::Anyhow => with_anyhow()?,
            Self::Boxed => Err(Box::<dyn std::error::Error + Send + Sync>::from("boxed"))?,
            Self::Discard => return Err(JobError::discard("never")),
            Self::Not => {}
        }
        Ok(())
    }
}

fn with_anyhow() -> anyhow::Result<()> {
    Err(anyhow::Error::new(io::Error::other("the cause")).context("the context"))
}

#[tokio::test]
async fn the_question_mark_takes_every_error() {
    let context = Context::new(Arc::new(()), Run::detached(attempt()));
    for (job, chain) in [
        (Fail::Io, "the disk"),
        (Fail::Text, "a text"),
        (Fail::Message("a message".into()), "a message"),
        (Fail::Anyhow, "the context: the cause"),
        (Fail::Boxed, "boxed"),
    ] {
        let error = job.perform(&context).await.unwrap_err();
        assert_eq!(error.chain(), chain);
        assert_eq!(error.kind(), ErrorKind::Retry);
    }
    assert_eq!(Fail::Discard.perform(&context).await.unwrap_err().kind(), ErrorKind::Discard);
    assert!(Fail::Not.perform(&context).await.is_ok());
}

#[derive(Job)]
#[job(state = Counters)]
struct Count {
    by: u32,
}

struct Counters {
    total: std::sync::atomic::AtomicU32,
}

impl Perform for Count {
    async fn perform(&self, ctx: &Context<Counters>) -> JobResult {
        ctx.state().total.fetch_add(self.by, std::sync::atomic::Ordering::Relaxed);
        match ctx.id() {
            JobId(7) => Ok(()),
            other => Err(format!("{other} is not 7"))?,
        }
    }
}

#[tokio::test]
async fn a_registration_runs_what_was_encoded() {
    let mut states = States::default();
    states.insert(Counters { total: 40.into() });
    let handler = Registration::of::<Count>().bind(&states).unwrap();
    let payload = encode(&Count { by: 2 }).unwrap();
    handler.handle(Stored::by::<Count>(&payload), Run::detached(attempt())).await.unwrap();

    let refused =
        handler.handle(Stored::by::<Count>(&payload[..1]), Run::detached(attempt())).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Park);
    assert!(
        refused.chain().starts_with("cannot decode the payload of this count job"),
        "{}",
        refused.chain()
    );
}

/// Knows better than its policy for how long to wait.
#[derive(Job)]
enum Patient {
    Retry,
    RetryIn,
    SlowQueue,
}

impl Perform for Patient {
    async fn perform(&self, _: &Context) -> JobResult {
        Err(match self {
            Self::Retry => io::Error::other("busy").into(),
            Self::RetryIn => JobError::retry_in(Duration::from_secs(3), "busy"),
            Self::SlowQueue => JobError::slow_queue("busy"),
        })
    }

    fn retry_wait(&self, attempt: i16, error: &JobError) -> Option<Duration> {
        assert_eq!(error.chain(), "busy");
        (attempt == 1).then_some(Duration::from_secs(7))
    }
}

#[tokio::test]
async fn a_job_may_say_how_long_to_wait_after_an_error() {
    let handler = Registration::of::<Patient>().bind(&States::default()).unwrap();
    let kind = async |job: Patient, number| {
        let mut attempt = attempt();
        attempt.number = number;
        let payload = encode(&job).unwrap();
        let run = Run::detached(attempt);
        let error = handler.handle(Stored::by::<Patient>(&payload), run).await.unwrap_err();
        assert_eq!(error.chain(), "busy");
        error.kind()
    };
    assert_eq!(kind(Patient::Retry, 1).await, ErrorKind::RetryIn(Duration::from_secs(7)));
    assert_eq!(kind(Patient::Retry, 2).await, ErrorKind::Retry);
    assert_eq!(kind(Patient::RetryIn, 1).await, ErrorKind::RetryIn(Duration::from_secs(3)));
    assert_eq!(kind(Patient::SlowQueue, 1).await, ErrorKind::SlowQueue);
}

#[test]
fn a_missing_state_is_named() {
    let error = Registration::of::<Count>().bind(&States::default()).err().unwrap();
    assert!(matches!(error, RegistryError::MissingState { .. }));
    assert_eq!(
        error.to_string(),
        "the job perform::Count needs the state perform::Counters: give it to the runner with .state(..)"
    );
}

fn attempt() -> Attempt {
    Attempt::first(JobId(7), "queue")
}
