//! Payloads of types that have changed since.

#![forbid(unsafe_code)]

use pgq_core::{Context, Job, JobResult, PayloadError, Perform, Registration, Shape, Stored, encode};
use serde::{Deserialize, Serialize};

mod v1 {
    #[derive(pgq_core::Job, Debug)]
    #[job(kind = "send_welcome", enqueue_only)]
    pub(super) struct SendWelcome(pub(super) i64);
}

#[derive(Job)]
#[job(kind = "send_welcome", version = 3, upcast_from = v1::SendWelcome, enqueue_only)]
struct SendWelcomeV3 {
    user: String,
}

/// Version 4 was never released.
#[derive(Job, Debug, PartialEq)]
#[job(version = 5, upcast_from = SendWelcomeV3)]
struct SendWelcome {
    user: u64,
    mail: bool,
}

impl From<v1::SendWelcome> for SendWelcomeV3 {
    fn from(v1::SendWelcome(user): v1::SendWelcome) -> Self {
        assert_ne!(user, 13, "unlucky");
        Self { user: user.to_string() }
    }
}

impl TryFrom<SendWelcomeV3> for SendWelcome {
    type Error = std::num::ParseIntError;

    fn try_from(old: SendWelcomeV3) -> Result<Self, Self::Error> {
        Ok(Self { user: old.user.parse()?, mail: true })
    }
}

impl Perform for SendWelcome {
    async fn perform(&self, _: &Context) -> JobResult {
        Ok(())
    }
}

fn upcast<J: Job>(old: &J) -> Result<SendWelcome, PayloadError> {
    Stored::by::<J>(&encode(old).unwrap()).decode()
}

#[test]
fn older_versions_become_the_newest_step_by_step() {
    let newest = |user| SendWelcome { user, mail: true };
    assert_eq!(upcast(&v1::SendWelcome(7)).unwrap(), newest(7));
    assert_eq!(upcast(&SendWelcomeV3 { user: "8".into() }).unwrap(), newest(8));
    assert_eq!(upcast(&newest(9)).unwrap(), newest(9));
    let layouts = [(5, SendWelcome::SHAPE), (3, SendWelcomeV3::SHAPE), (1, v1::SendWelcome::SHAPE)];
    assert_eq!(Registration::of::<SendWelcome>().reads(), layouts);
}

#[test]
fn a_conversion_may_fail_and_even_panic() {
    let words =
        |error: PayloadError| (error.to_string(), std::error::Error::source(&error).unwrap().to_string());
    let failed = words(upcast(&v1::SendWelcome(-1)).unwrap_err());
    let expected = "cannot make version 5 of the payload of this send_welcome job of version 3";
    assert_eq!(failed, (expected.to_owned(), "invalid digit found in string".to_owned()));
    let failed = words(upcast(&v1::SendWelcome(13)).unwrap_err());
    let expected = "cannot make version 3 of the payload of this send_welcome job of version 1";
    assert_eq!(failed, (expected.to_owned(), "the conversion panicked".to_owned()));
}

#[test]
fn versions_out_of_reach_say_what_is_read() {
    let bytes = encode(&SendWelcomeV3 { user: String::new() }).unwrap();
    for (version, fix) in [
        (6, "run it by the newer program that wrote it"),
        (4, "extend the chain of `upcast_from` down to version 4"),
        (2, "extend the chain of `upcast_from` down to version 2"),
        (0, "extend the chain of `upcast_from` down to version 0"),
    ] {
        let error = Stored::new(version, 0, &bytes).decode::<SendWelcome>().unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "the payload of this send_welcome job has version {version}, and this program reads 5, 3, 1: \
                 {fix}; the stored payload is kept as it is"
            )
        );
    }
    let error = Stored::new(2, 0, &bytes).decode::<v1::SendWelcome>().unwrap_err();
    assert!(matches!(error, PayloadError::Version { version: 2, ref reads, .. } if *reads == [1]), "{error}");
}

#[cfg(feature = "bincode")] // JSON names its fields, and is read in any shape
#[test]
fn another_shape_of_the_same_version_is_refused_at_every_step() {
    let bytes = encode(&v1::SendWelcome(7)).unwrap();
    for (version, expected) in [(5, SendWelcome::SHAPE), (1, v1::SendWelcome::SHAPE)] {
        let error = Stored::new(version, 99, &bytes).decode::<SendWelcome>().unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "version {version} of the payload of this send_welcome job has the shape {expected} in this program \
                 and was stored in the shape 99: set `version = {next}` on the type and `upcast_from` to a copy of \
                 the type as it was; the stored payload is kept as it is",
                next = version + 1
            )
        );
    }
}

/// Two types that hold each other, one of which does not ask the other for its shape.
#[derive(Shape, Serialize, Deserialize)]
struct Chicken(Vec<Egg>);

#[derive(Shape, Serialize, Deserialize)]
struct Egg(#[shape(skip)] Option<Box<Chicken>>);

#[derive(Job)]
#[job(enqueue_only)]
struct Hatch(Egg);

#[test]
fn two_types_may_hold_each_other() {
    assert_ne!(Chicken::SHAPE, Egg::SHAPE);
    assert_ne!(Hatch::SHAPE, 0);
}

/// The same jobs, before and after a change inside the types that they hold.
macro_rules! parcels {
    ($module:ident, $street:ty, $derive:path) => {
        #[allow(dead_code, reason = "only their shapes are looked at")]
        mod $module {
            use std::collections::HashMap;

            use super::*;

            type Street = $street;

            #[derive($derive, Serialize, Deserialize)]
            pub(super) struct Address {
                street: Street,
            }

            #[derive($derive, Serialize, Deserialize)]
            pub(super) enum Place {
                Home,
                At(Box<Address>),
            }

            #[derive($derive, Serialize, Deserialize)]
            pub(super) struct Page<T, const N: usize> {
                items: Vec<T>,
                next: Option<Box<Page<T, N>>>,
            }

            #[derive(Job)]
            #[job(enqueue_only)]
            pub(super) struct Direct(Address);

            #[derive(Job)]
            #[job(enqueue_only)]
            pub(super) struct Deep {
                to: HashMap<String, Vec<(u8, Option<Place>)>>,
            }

            #[derive(Job)]
            #[job(enqueue_only)]
            pub(super) struct Generic([Page<Address, 3>; 2]);

            #[derive(Job)]
            #[job(enqueue_only)]
            pub(super) struct Skipping(#[shape(skip)] Address);

            #[derive(Job)]
            #[job(enqueue_only)]
            pub(super) struct Foreign(std::num::NonZeroU8, Vec<Street>);
        }
    };
}

/// Derives nothing that counts.
mod nothing {
    pub(super) use std::fmt::Debug;
}

parcels!(before, String, Shape);
parcels!(again, String, Shape);
parcels!(after, Box<[u8]>, Shape);
parcels!(blind_before, String, super::nothing::Debug);
parcels!(blind_after, Box<[u8]>, super::nothing::Debug);

#[test]
fn shapes_see_into_types_that_have_one() {
    macro_rules! shapes {
        ($module:ident) => {
            [
                $module::Direct::SHAPE,
                $module::Deep::SHAPE,
                $module::Generic::SHAPE,
                $module::Foreign::SHAPE,
                $module::Skipping::SHAPE,
            ]
        };
    }
    assert_eq!(shapes!(before), shapes!(again));
    let [direct, deep, generic, alias, skipping] =
        std::array::from_fn(|n| shapes!(before)[n] != shapes!(after)[n]);
    assert_eq!([direct, deep, generic, alias, skipping], [true, true, true, true, false]);
    assert_eq!(shapes!(blind_before)[..3], shapes!(blind_after)[..3]);
}
