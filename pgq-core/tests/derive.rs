//! What the derive makes of a type: its settings, its shape and its place in the registry.

#![forbid(unsafe_code)]
#![deny(warnings, unused_qualifications)]
#![allow(dead_code, reason = "many jobs here are only looked at, never enqueued")]

use std::time::Duration;

use pgq_core::{Job, Kind, QueueName, Registry, Retry, Shape, decode, encode};

/// Jobs that do nothing.
macro_rules! idle {
    ($($job:ty),*) => {
        $(impl ::pgq_core::Perform for $job {
            async fn perform(
                &self,
                _: &::pgq_core::Context<<Self as ::pgq_core::Job>::State>,
            ) -> ::pgq_core::JobResult {
                Ok(())
            }
        })*
    };
}

#[derive(Job)]
struct SendWelcome {
    user_id: i64,
}

struct App;

#[derive(Job)]
#[job(kind = "Report/eu-west.1:nightly", queue = "reports", priority = -3)]
#[job(state = Vec<(u8, App)>, retry_waits = ["1m", "1h 30m", "0s"], timeout = "1s 500ms")]
#[job(max_attempts = 4, crate = ::pgq_core)]
struct Everything;

#[derive(Job)]
#[job(retry_waits = [])]
struct Once;

#[derive(Job)]
#[job(max_attempts = 32767, priority = 32767)]
struct Stubborn;

#[derive(Job)]
#[job(retry_waits = ["10s"], queue = "mail",)]
struct Twice;

#[derive(Job)]
#[job(backoff = fixed("30s"))]
struct Steady;

#[derive(Job)]
#[job(backoff = exponential(base = "1s", max = "1h 30m"), max_attempts = 9)]
struct Growing;

#[derive(Job)]
#[job(backoff = exponential(max = "1s", jitter = 1, factor = 1.5, base = "1s"))]
struct Varied;

#[derive(Job)]
struct HTTPPing2;

#[derive(Job)]
struct r#Loop {
    r#type: u8,
}

idle!(SendWelcome, Everything, Once, Stubborn, Twice, Steady, Growing, Varied, HTTPPing2, r#Loop);

#[test]
fn a_bare_derive_takes_the_defaults() {
    assert_eq!(SendWelcome::KIND, "send_welcome");
    assert_eq!(SendWelcome::QUEUE, "send_welcome");
    assert_eq!(SendWelcome::PRIORITY, 0);
    assert_eq!(SendWelcome::VERSION, 1);
    assert_eq!(SendWelcome::MAX_ATTEMPTS, 4);
    assert_eq!(SendWelcome::RETRY, Retry::DEFAULT);
    assert_eq!(Some(SendWelcome::MAX_ATTEMPTS), Retry::DEFAULT.natural_attempts());
    assert_eq!(SendWelcome::TIMEOUT, None);
}

#[test]
fn every_setting_arrives() {
    let seconds = [60, 5400, 0].map(Duration::from_secs);
    assert_eq!(Everything::KIND, "Report/eu-west.1:nightly");
    assert_eq!(Everything::QUEUE, "reports");
    assert_eq!(Everything::PRIORITY, -3);
    assert_eq!(Everything::RETRY, Retry::Waits(seconds.to_vec().into()));
    assert_eq!(Everything::MAX_ATTEMPTS, 4);
    assert_eq!(Everything::TIMEOUT, Some(Duration::from_millis(1500)));
    let _: <Everything as Job>::State = vec![(1, App)];
}

#[test]
fn attempts_follow_the_waits_unless_said() {
    assert_eq!((Once::MAX_ATTEMPTS, Once::RETRY), (1, Retry::Waits(vec![].into())));
    assert_eq!(Twice::MAX_ATTEMPTS, 2);
    assert_eq!((Stubborn::MAX_ATTEMPTS, Stubborn::RETRY), (32767, Retry::DEFAULT));
    assert_eq!(Stubborn::PRIORITY, 32767);
}

#[test]
fn a_backoff_arrives_with_its_defaults() {
    let second = Duration::from_secs(1);
    assert_eq!((Steady::MAX_ATTEMPTS, Steady::RETRY), (4, Retry::Fixed(Duration::from_secs(30))));
    let growing =
        Retry::Exponential { base: second, factor: 2.0, max: Duration::from_secs(5400), jitter: 0.0 };
    assert_eq!((Growing::MAX_ATTEMPTS, Growing::RETRY), (9, growing));
    let varied = Retry::Exponential { base: second, factor: 1.5, max: second, jitter: 1.0 };
    assert_eq!(Varied::RETRY, varied);
}

#[test]
fn the_default_kind_is_the_snake_case_of_the_name() {
    assert_eq!(HTTPPing2::KIND, "http_ping2");
    assert_eq!(r#Loop::KIND, "loop");
    assert_eq!((Twice::KIND, Twice::QUEUE), ("twice", "mail"));
}

/// Stored beside every payload: another number here would make the waiting jobs of every user unreadable.
#[test]
fn the_shape_is_the_same_in_every_build() {
    let shapes = [SendWelcome::SHAPE, Everything::SHAPE, places::Mail::SHAPE];
    assert_eq!(shapes, [1_262_360_384, 1_415_952_421, 1_905_142_990]);
    assert_ne!(SendWelcome::SHAPE, changed::SendWelcome::SHAPE);
}

mod changed {
    #[derive(pgq_core::Job)]
    #[job(kind = "send_welcome_2")]
    pub(super) struct SendWelcome {
        user_id: i32,
    }
}

idle!(changed::SendWelcome);

/// The derive needs no import, no other derive and no name that means what it usually means.
mod places {
    mod core {}
    mod std {}
    mod serde {}
    struct Option;
    struct Result;
    struct Send;
    struct Default;
    struct Duration;

    #[derive(::pgq_core::Job)]
    pub(super) enum Mail {
        Plain,
        To(::std::string::String, u8),
        Batch { first: i64, last: ::std::option::Option<i64> },
    }

    mod deeper {
        #[derive(::pgq_core::Job)]
        struct Hidden(super::Named);

        idle!(Hidden);
    }

    #[derive(::serde::Serialize, ::serde::Deserialize)]
    struct Named;
}

idle!(places::Mail);

mod renamed {
    pub(super) use pgq_core as queue;
}

#[derive(Job)]
#[job(crate = renamed::queue)]
struct Renamed;

idle!(Renamed);

/// What a user's own macro may pass on.
macro_rules! notify {
    ($name:ident, $kind:literal, $state:ty, $priority:expr, { $($field:ident: $type:ty),* }) => {
        #[derive(Job)]
        #[job(kind = $kind, state = $state, priority = $priority, crate = $crate::renamed::queue)]
        struct $name {
            $($field: $type),*
        }

        idle!($name);
    };
}

notify!(Notified, "notified_by_macro", Vec<App>, -7, { to: Vec<Option<String>>, count: u16 });

#[test]
fn macros_may_write_jobs() {
    let job = Notified { to: vec![None, Some("a".into())], count: 3 };
    let decoded: Notified = decode(&encode(&job).unwrap()).unwrap();
    assert_eq!((decoded.to, decoded.count), (job.to, job.count));
    assert_eq!((Notified::KIND, Notified::PRIORITY), ("notified_by_macro", -7));
}

/// What a user's own macro may pass on, of everything that can be set.
macro_rules! everything {
    ($name:ident<$param:ident> { $field:ident: $type:ty, $secret:ident },
     $old:ty, $state:ty, $codec:ty, $instance:ty, $kind:literal, $version:literal, $wait:literal, $factor:literal) => {
        #[derive(Job)]
        #[job(instances($instance = $kind), state = $state, codec = $codec, version = $version)]
        #[job(upcast_from = $old, backoff = exponential(base = $wait, max = $wait, factor = $factor))]
        #[job(index($field), sensitive($secret), unique($field, period = $wait), enqueue_only)]
        #[job(crate = $crate::renamed::queue)]
        struct $name<$param> {
            $field: $type,
            $secret: Vec<$param>,
        }
    };
}

everything!(
    Passed<T> { id: Option<T>, secret }, OldPassed, Vec<App>, Plain<u8>, Passed<u8>, "passed", 2, "1m", 1.5
);

#[derive(Job)]
#[job(kind = "passed", enqueue_only)]
struct OldPassed;

impl From<OldPassed> for Passed<u8> {
    fn from(_: OldPassed) -> Self {
        Self { id: Some(7), secret: vec![] }
    }
}

struct Plain<T>(T);

impl<T> pgq_core::Codec for Plain<T> {
    const TAG: u8 = 130;

    fn encode<V: serde::Serialize>(value: &V, out: &mut Vec<u8>) -> Result<(), pgq_core::BoxError> {
        pgq_core::Json::encode(value, out)
    }

    fn decode<V: serde::de::DeserializeOwned>(body: &[u8]) -> Result<V, pgq_core::BoxError> {
        pgq_core::Json::decode(body)
    }
}

#[test]
fn macros_may_pass_on_every_setting() {
    let job = Passed { id: Some(3_u8), secret: vec![4] };
    assert_eq!(format!("{job:?}"), "Passed { id: Some(3), secret: *** }");
    let bytes = encode(&job).unwrap();
    assert_eq!(bytes, b"\x82{\"id\":3,\"secret\":[4]}");
    assert_eq!(decode::<Passed<u8>>(&bytes).unwrap().secret, [4]);
    assert_eq!((Passed::<u8>::KIND, Passed::<u8>::VERSION), ("passed", 2));
    let minute = Duration::from_secs(60);
    let retry = Retry::Exponential { base: minute, factor: 1.5, max: minute, jitter: 0.0 };
    assert_eq!(Passed::<u8>::RETRY, retry);
}

#[test]
fn a_function_may_hold_a_job() {
    struct Local;

    #[derive(Job)]
    #[job(state = Local)]
    struct InAFunction(LocalField);

    #[derive(serde::Serialize, serde::Deserialize)]
    struct LocalField(u8);

    idle!(InAFunction);

    let bytes = encode(&InAFunction(LocalField(9))).unwrap();
    assert_eq!(decode::<InAFunction>(&bytes).unwrap().0.0, 9);
    assert!(kinds().contains(&"in_a_function"));
}

fn kinds() -> Vec<&'static str> {
    Registry::linked().unwrap().iter().map(|registration| registration.kind).collect()
}

#[test]
fn the_registry_finds_every_job_with_its_facts() {
    for kind in ["hidden", "mail", "once", "renamed", "send_welcome", "notified_by_macro", "loop"] {
        assert!(kinds().contains(&kind), "{kind} is not among {:?}", kinds());
    }
    let registry = Registry::linked().unwrap();
    let everything = registry.iter().find(|registration| registration.kind == Everything::KIND).unwrap();
    assert_eq!(everything.queue, "reports");
    assert_eq!(everything.version, 1);
    assert_eq!(everything.timeout, Some(Duration::from_millis(1500)));
    let described = everything.described();
    let (type_name, line) = described.split_once(" at ").unwrap();
    assert_eq!(type_name, "derive::Everything");
    let (file, line) = line.rsplit_once(':').unwrap();
    assert!(file.ends_with("tests/derive.rs"), "{file}");
    let derive_line =
        include_str!("derive.rs").lines().position(|line| line == "struct Everything;").unwrap() - 3;
    assert_eq!(line.parse(), Ok(derive_line));
}

#[test]
fn names_are_judged_as_the_registry_judges_them() {
    // pgq-macros judges its own copy of the rule by the same table.
    for line in include_str!("names.txt").lines() {
        let (verdict, name) = line.split_once(' ').unwrap();
        let name = name.replace("\\0", "\0");
        assert_eq!(Kind::new(&name).is_ok(), verdict == "good", "{name:?}");
        assert_eq!(QueueName::new(&name).is_ok(), verdict == "good", "{name:?}");
    }
}
