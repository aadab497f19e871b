//! What runs around attempts.

#![forbid(unsafe_code)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use pgq_core::{
    Attempt, Call, Context, ErrorKind, Handler, Job, JobError, JobId, JobResult, Middleware, Next, Perform,
    Registration, Run, States, Stored, async_trait, encode,
};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

#[derive(Job)]
#[job(state = Log)]
struct Charge {
    tenant: u32,
}

#[derive(Job)]
#[job(enqueue_only)]
struct Other;

impl Perform for Charge {
    async fn perform(&self, ctx: &Context<Log>) -> JobResult {
        ctx.state().add(format!("charge {}", self.tenant));
        if self.tenant == 13 { Err("unlucky")? } else { Ok(()) }
    }

    fn retry_wait(&self, _: i16, _: &JobError) -> Option<Duration> {
        Some(Duration::from_secs(13))
    }
}

/// Tells when it begins and ends.
struct Tells(&'static str, Log);

#[async_trait]
impl Middleware for Tells {
    async fn around(&self, call: &Call<'_>, next: Next<'_>) -> JobResult {
        let attempt = call.attempt();
        self.1.add(format!("{} before {} {} {}", self.0, call.kind(), attempt.id, attempt.number));
        let result = next.run().await;
        let error = result.as_ref().err().map(|error| (error.chain(), error.kind()));
        self.1.add(format!("{} after {error:?} {}", self.0, call.is_cancelled()));
        result
    }
}

/// Knows one type and refuses one tenant.
struct Refuses;

#[async_trait]
impl Middleware for Refuses {
    async fn around(&self, call: &Call<'_>, next: Next<'_>) -> JobResult {
        assert!(call.job::<Other>().is_none());
        match call.job::<Charge>() {
            Some(Charge { tenant: 66 }) => Err(JobError::snooze(Duration::from_secs(1))),
            _ => next.run().await,
        }
    }
}

fn bound(log: &Log, middleware: &[Arc<dyn Middleware>]) -> Arc<dyn Handler> {
    let mut states = States::default();
    states.insert(log.clone());
    Registration::of::<Charge>().bind_within(&states, middleware).unwrap()
}

async fn handle(handler: &dyn Handler, tenant: u32) -> Option<ErrorKind> {
    let bytes = encode(&Charge { tenant }).unwrap();
    let run = Run::detached(Attempt::first(JobId(7), "queue"));
    handler.handle(Stored::by::<Charge>(&bytes), run).await.err().map(|error| error.kind())
}

#[tokio::test]
async fn the_first_is_the_outermost_and_sees_the_end() {
    let log = Log::default();
    let handler =
        bound(&log, &[Arc::new(Tells("outer", log.clone())), Arc::new(Tells("inner", log.clone()))]);
    assert_eq!(handle(&*handler, 1).await, None);
    let expected = [
        "outer before charge 7 1",
        "inner before charge 7 1",
        "charge 1",
        "inner after None false",
        "outer after None false",
    ];
    assert_eq!(log.take(), expected);
    let wait = ErrorKind::RetryIn(Duration::from_secs(13));
    assert_eq!(handle(&*handler, 13).await, Some(wait), "the wait of the type's own");
    assert_eq!(log.take()[4], "outer after Some((\"unlucky\", RetryIn(13s))) false");
}

#[tokio::test]
async fn a_middleware_may_look_at_the_job_and_leave_it_unperformed() {
    let log = Log::default();
    let handler = bound(&log, &[Arc::new(Refuses), Arc::new(Tells("inner", log.clone()))]);
    assert_eq!(handle(&*handler, 66).await, Some(ErrorKind::Snooze(Duration::from_secs(1))));
    assert_eq!(log.take(), [""; 0]);
    assert_eq!(handle(&*handler, 67).await, None);
    assert_eq!(log.take().len(), 3);
}

#[tokio::test]
async fn what_cannot_be_decoded_never_comes_so_far() {
    let log = Log::default();
    let handler = bound(&log, &[Arc::new(Tells("outer", log.clone()))]);
    let run = Run::detached(Attempt::first(JobId(7), "queue"));
    let error = handler.handle(Stored::by::<Charge>(&[]), run).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Park);
    assert_eq!(log.take(), [""; 0]);
}

#[tokio::test]
async fn without_middleware_the_handler_runs_alone() {
    let log = Log::default();
    assert_eq!(handle(&*bound(&log, &[]), 2).await, None);
    assert_eq!(log.take(), ["charge 2"]);
}
