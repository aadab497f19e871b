//! Jobs as bytes: what goes in comes out, and what is no payload is an error.

#![cfg(feature = "bincode")]
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use pgq_core::{Context, Job, JobResult, MAX_PAYLOAD_BYTES, PayloadError, Perform, decode, encode};
use serde::{Deserialize, Serialize};

/// Jobs that do nothing.
macro_rules! idle {
    ($($job:ty),*) => {
        $(impl Perform for $job {
            async fn perform(&self, _: &Context) -> JobResult {
                Ok(())
            }
        })*
    };
}

#[derive(Job, Debug, Clone, PartialEq)]
struct Unit;

#[derive(Job, Debug, Clone, PartialEq)]
struct Tuple(i64, String);

#[derive(Job, Debug, Clone, PartialEq)]
struct Report {
    name: String,
    ratio: f64,
    tags: Vec<Tag>,
    limits: BTreeMap<String, (u8, Option<Tag>)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Tag {
    Plain,
    Text(String),
    Range { from: i16, to: i16 },
}

#[derive(Job, Debug, Clone, PartialEq)]
#[repr(u8)]
enum Mail {
    Nothing = 7,
    To(String, u8),
    Batch { first: i64, last: Option<i64> },
}

/// A job that is data elsewhere, too, and holds more of itself.
#[derive(Job, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Folder {
    file_names: Vec<String>,
    sub_folders: Vec<Self>,
}

#[derive(Job, Debug, Clone, PartialEq)]
#[serde(default)]
struct Attributes {
    #[serde(with = "seconds")]
    wait: Duration,
    #[serde(skip)]
    cache: Option<&'static str>,
    #[serde(rename = "e-mail", alias = "mail", default = "nobody")]
    email: String,
    #[serde(serialize_with = "upper", default)]
    code: String,
}

impl Default for Attributes {
    fn default() -> Self {
        Self { wait: Duration::ZERO, cache: Some("fresh"), email: nobody(), code: String::new() }
    }
}

fn nobody() -> String {
    "nobody".into()
}

fn upper<S: serde::Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text.to_uppercase())
}

mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(wait: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(wait.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_secs)
    }
}

#[derive(Job, Debug, Clone, PartialEq)]
#[serde(into = "String", try_from = "String")]
struct Address(String, String);

impl From<Address> for String {
    fn from(Address(user, host): Address) -> Self {
        format!("{user}@{host}")
    }
}

impl TryFrom<String> for Address {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (user, host) = text.split_once('@').ok_or("no @")?;
        Ok(Self(user.into(), host.into()))
    }
}

#[derive(Job, Debug, Clone, PartialEq)]
enum Partly {
    Stored(u8),
    Also,
    #[serde(skip)]
    Never(std::time::Instant),
}

#[derive(Job, Debug, PartialEq)]
struct Bytes(Vec<u8>);

idle!(Unit, Tuple, Report, Mail, Folder, Attributes, Address, Partly, Bytes);

/// Encodes and decodes, then damages the bytes in every way that a table can.
fn goes_round<J: Job + Debug + PartialEq>(job: &J) {
    let bytes = encode(job).unwrap();
    assert_eq!(decode::<J>(&bytes).unwrap(), *job);
    for end in 0..bytes.len() {
        reason(decode::<J>(&bytes[..end]), "");
    }
    reason(decode::<J>(&[bytes.as_slice(), &[0]].concat()), "1 bytes are left over");
    for index in 0..bytes.len() {
        for mask in 1..=u8::MAX {
            let mut flipped = bytes.clone();
            flipped[index] ^= mask;
            let decoded = decode::<J>(&flipped); // an error or another value, and never a panic
            assert!(index > 0 || decoded.is_err(), "codec {} was accepted", flipped[0]);
        }
    }
}

/// Expects a decoding error whose reason has this text.
fn reason<J: Job + Debug>(decoded: Result<J, PayloadError>, expected: &str) {
    let PayloadError::Decode { kind, reason } = decoded.unwrap_err() else { panic!("no decoding error") };
    assert_eq!(kind, J::KIND);
    assert!(reason.contains(expected), "{reason}");
}

#[test]
fn structs_and_enums_of_every_form_go_round() {
    goes_round(&Unit);
    goes_round(&Tuple(i64::MIN, "ä\0".into()));
    for mail in [Mail::Nothing, Mail::To("a".into(), 3), Mail::Batch { first: -1, last: Some(300) }] {
        goes_round(&mail);
    }
}

#[test]
fn fields_of_the_users_own_types_go_round() {
    let tags = vec![Tag::Plain, Tag::Text("t".into()), Tag::Range { from: -3, to: 400 }];
    let limits = BTreeMap::from([("a".into(), (1, None)), ("b".into(), (2, tags.first().cloned()))]);
    goes_round(&Report { name: "r".into(), ratio: 0.1, tags, limits });
}

#[test]
fn serde_attributes_of_fields_are_obeyed() {
    let wait = Duration::from_millis(2500);
    let job = Attributes { wait, cache: Some("stale"), email: "a@b".into(), code: "xy".into() };
    let decoded: Attributes = decode(&encode(&job).unwrap()).unwrap();
    assert_eq!(decoded.wait, Duration::from_secs(2), "`with` writes whole seconds");
    assert_eq!(decoded.cache, Some("fresh"), "`skip` takes the default of the type");
    assert_eq!(decoded.code, "XY", "`serialize_with` writes capitals");
    goes_round(&decoded);
}

#[test]
fn serde_attributes_of_types_and_variants_are_obeyed() {
    goes_round(&Address("me".into(), "here".into()));
    assert_eq!(encode(&Address("a".into(), "b".into())).unwrap()[1..], *b"\x03a@b");
    goes_round(&Partly::Stored(4));
    goes_round(&Partly::Also);
    let never = encode(&Partly::Never(std::time::Instant::now())).unwrap_err();
    assert_eq!(never.to_string(), "cannot encode the payload of this partly job");
}

#[test]
fn a_type_may_have_its_own_serde_derives() {
    let inner = Folder { file_names: vec!["a".into()], sub_folders: vec![] };
    let folder = Folder { file_names: vec![], sub_folders: vec![inner.clone(), inner] };
    goes_round(&folder);
    // A struct in another is written as its fields are, so both serde impls write the same.
    #[derive(Job)]
    struct Outer(Folder);
    idle!(Outer);
    assert_eq!(encode(&Outer(folder.clone())).unwrap(), encode(&folder).unwrap());
}

#[test]
fn bytes_without_sense_are_errors() {
    reason(decode::<Unit>(&[]), "it is empty");
    reason(
        decode::<Unit>(&[0]),
        "it was written by codec 0, which is neither this type's nor one of the library's",
    );
    reason(decode::<Unit>(&[128]), "it was written by codec 128, which is neither");
    reason(decode::<Unit>(&[2]), "EOF while parsing a value");
    reason(decode::<Tuple>(&[1, 0, 1, 0xff]), "");
    reason(decode::<Mail>(&[1, 3]), "");
    reason(decode::<Address>(&[1, 1, b'a']), "no @");
}

#[test]
fn a_payload_has_a_limit() {
    // The codec's byte and the length, 5 bytes, count too.
    let largest = Bytes(vec![0; MAX_PAYLOAD_BYTES - 6]);
    assert_eq!(decode::<Bytes>(&encode(&largest).unwrap()).unwrap(), largest);
    let larger = Bytes(vec![0; MAX_PAYLOAD_BYTES - 5]);
    let refused = encode(&larger).unwrap_err().to_string();
    assert!(refused.contains("bytes job is 1048577 bytes, over the limit of 1048576"), "{refused}");
}
