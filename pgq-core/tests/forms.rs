//! Jobs of other forms: generic ones, those that this program only enqueues, and those that another type performs.

#![forbid(unsafe_code)]

use std::any::type_name;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Mutex;
use std::time::Duration;

use pgq_core::{
    Attempt, Context, ErrorKind, Job, JobError, JobId, JobResult, Perform, PerformFor, Registration,
    Registry, RegistryError, Run, Shape, States, Stored, decode, encode,
};
use serde::{Deserialize, Serialize};

/// What was performed.
#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Log {
    fn add(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }
}

trait Format: Send + Sync + 'static {
    type Quality: Send + Sync + 'static;
}

#[derive(Debug, PartialEq, Shape, Serialize, Deserialize)]
struct Png;
#[derive(Debug, PartialEq, Shape, Serialize, Deserialize)]
struct Jpeg {
    quality: u8,
}

impl Format for Png {
    type Quality = ();
}

impl Format for Jpeg {
    type Quality = u8;
}

#[derive(Job, Debug, PartialEq)]
#[job(instances(Convert<Png, 1> = "convert_png", Convert<Jpeg, 2> = "convert/jpeg"), priority = 3)]
#[job(state = Log)]
#[serde(bound = "F: Format")]
struct Convert<F: Format, const N: usize>
where
    F::Quality: Debug + PartialEq + Serialize + for<'de> Deserialize<'de>,
{
    file: [i64; N],
    format: Vec<F>,
    quality: Option<<F as Format>::Quality>,
    #[serde(skip)]
    marker: PhantomData<F>,
}

impl<F: Format, const N: usize> Perform for Convert<F, N>
where
    F::Quality: Debug + PartialEq + Serialize + for<'de> Deserialize<'de>,
    Self: Job<State = Log>,
{
    async fn perform(&self, ctx: &Context<Log>) -> JobResult {
        ctx.state().add(format!("{} {}", type_name::<F>(), N));
        Ok(())
    }
}

#[derive(Job)]
#[job(instances(Notify<String> = "notify_user", Notify<(u8, u8)> = "notify_pair"), queue = "notes", enqueue_only)]
#[job(sensitive(to), unique(to), index(urgent), version = 2, upcast_from = NotifyV1<T>)]
struct Notify<T> {
    to: T,
    urgent: bool,
}

#[derive(Job)]
#[job(instances(NotifyV1<String> = "notify_user", NotifyV1<(u8, u8)> = "notify_pair"), enqueue_only)]
struct NotifyV1<T>(T);

impl<T> From<NotifyV1<T>> for Notify<T> {
    fn from(NotifyV1(to): NotifyV1<T>) -> Self {
        Self { to, urgent: true }
    }
}

fn convert<F: Format, const N: usize>(format: F, quality: F::Quality) -> Convert<F, N>
where
    F::Quality: Debug + PartialEq + Serialize + for<'de> Deserialize<'de>,
{
    Convert { file: [7; N], format: vec![format], quality: Some(quality), marker: PhantomData }
}

#[test]
fn every_instance_is_a_job_of_its_own() {
    assert_eq!((Convert::<Png, 1>::KIND, Convert::<Png, 1>::QUEUE), ("convert_png", "convert_png"));
    assert_eq!((Convert::<Jpeg, 2>::KIND, Convert::<Jpeg, 2>::PRIORITY), ("convert/jpeg", 3));
    assert_eq!((Notify::<String>::KIND, Notify::<String>::QUEUE), ("notify_user", "notes"));
    assert_ne!(Convert::<Png, 1>::SHAPE, Convert::<Jpeg, 2>::SHAPE);
    let job: Convert<Jpeg, 2> = convert(Jpeg { quality: 90 }, 90);
    assert_eq!(decode::<Convert<Jpeg, 2>>(&encode(&job).unwrap()).unwrap(), job);
    let kinds: Vec<_> = Registry::linked().unwrap().iter().map(|registration| registration.kind).collect();
    assert_eq!(kinds, ["convert/jpeg", "convert_png", "own"]);
}

#[test]
fn settings_of_generic_types_hold_for_every_instance() {
    let job = Notify { to: (1, 2), urgent: false };
    assert_eq!(format!("{job:?}"), "Notify { to: ***, urgent: false }");
    assert_eq!(job.__pgq_index().unwrap().unwrap()["urgent"], false);
    assert!(job.__pgq_unique_key().unwrap().is_some());
    let old = encode(&NotifyV1((3, 4))).unwrap();
    let new: Notify<(u8, u8)> = Stored::by::<NotifyV1<(u8, u8)>>(&old).decode().unwrap();
    assert_eq!((new.to, new.urgent), ((3, 4), true));
}

fn run(number: i16) -> Run {
    let mut attempt = Attempt::first(JobId(1), "queue");
    attempt.number = number;
    Run::detached(attempt)
}

#[tokio::test]
async fn instances_run_by_one_impl() {
    let mut states = States::default();
    states.insert(Log::default());
    let handler = Registration::of::<Convert<Png, 1>>().bind(&states).unwrap();
    let bytes = encode(&convert::<Png, 1>(Png, ())).unwrap();
    handler.handle(Stored::by::<Convert<Png, 1>>(&bytes), run(1)).await.unwrap();
}

/// As if it were of another crate.
#[derive(Job)]
#[job(enqueue_only)]
struct Foreign {
    n: u8,
}

#[derive(Job)]
struct Own;

impl Perform for Own {
    async fn perform(&self, _: &Context) -> JobResult {
        Ok(())
    }
}

/// Performs two types, and holds what it needs.
struct Desk {
    name: String,
}

impl PerformFor<Foreign> for Desk {
    type State = u32;

    async fn perform(&self, job: &Foreign, ctx: &Context<u32>) -> JobResult {
        match u32::from(job.n) == *ctx.state() {
            true => Ok(()),
            false => Err(format!("{} is not the one of {}", job.n, self.name))?,
        }
    }

    fn retry_wait(&self, job: &Foreign, attempt: i16, _: &JobError) -> Option<Duration> {
        (attempt == 2).then_some(Duration::from_secs(job.n.into()))
    }
}

impl PerformFor<Own> for Desk {
    type State = ();

    async fn perform(&self, _: &Own, _: &Context) -> JobResult {
        Ok(())
    }
}

fn desk() -> Desk {
    Desk { name: "Ada".into() }
}

#[tokio::test]
async fn a_type_performs_jobs_of_other_crates() {
    let mut registry = Registry::default();
    registry.add_handler::<Foreign, _>(desk()).unwrap();
    let registration = registry.iter().next().unwrap();
    assert_eq!(registration.described(), "forms::Foreign performed by forms::Desk");
    let error = registration.bind(&States::default()).err().unwrap();
    assert!(error.to_string().contains("performed by forms::Desk needs the state u32"), "{error}");
    let mut states = States::default();
    states.insert(3_u32);
    let handler = registration.bind(&states).unwrap();
    let perform = async |n, attempt| {
        let bytes = encode(&Foreign { n }).unwrap();
        handler
            .handle(Stored::by::<Foreign>(&bytes), run(attempt))
            .await
            .map_err(|error| (error.chain(), error.kind()))
    };
    assert_eq!(perform(3, 1).await, Ok(()));
    assert_eq!(perform(4, 1).await, Err(("4 is not the one of Ada".to_owned(), ErrorKind::Retry)));
    assert_eq!(perform(4, 2).await.unwrap_err().1, ErrorKind::RetryIn(Duration::from_secs(4)));
}

#[test]
fn a_kind_has_one_handler() {
    let mut registry = Registry::linked().unwrap();
    let error = registry.add_handler::<Own, _>(desk()).err().unwrap();
    assert!(matches!(error, RegistryError::DuplicateKind { kind: "own", .. }), "{error}");
}
