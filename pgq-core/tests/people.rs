//! What people see of a payload and search by, and what makes two jobs the same.

#![forbid(unsafe_code)]
#![allow(dead_code, reason = "fields that are only written")]

use std::collections::HashMap;
use std::time::Duration;

use pgq_core::{
    Context, HeldWhile, Job, JobResult, OnConflict, PayloadError, Perform, Registration, Registry, Stored,
    Unique, UniqueKey, encode,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Has no `Debug`.
#[derive(Serialize, Deserialize)]
struct Secret(String);

#[derive(Job)]
#[job(sensitive(token, r#type), index(user_id, wait), kind = "charge")]
#[serde(rename_all = "camelCase")]
struct Charge {
    user_id: i64,
    #[serde(rename = "accessToken", with = "secret")]
    token: Secret,
    #[serde(with = "seconds")]
    wait: Duration,
    r#type: Option<Secret>,
    #[serde(skip)]
    cache: u8,
}

impl Perform for Charge {
    async fn perform(&self, _: &Context) -> JobResult {
        Ok(())
    }
}

mod secret {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(secret: &super::Secret, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&secret.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<super::Secret, D::Error> {
        String::deserialize(deserializer).map(super::Secret)
    }
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

#[derive(Job)]
#[job(sensitive, codec = "json", enqueue_only)]
enum Hidden {
    Card(String),
}

#[derive(Job)]
#[job(enqueue_only)]
struct Open(i64, Vec<Option<String>>);

fn charge() -> Charge {
    let wait = Duration::from_secs(90);
    Charge { user_id: 7, token: Secret("t0ken".into()), wait, r#type: Some(Secret("visa".into())), cache: 3 }
}

#[test]
fn a_payload_is_rendered_without_what_is_sensitive() {
    let bytes = encode(&charge()).unwrap();
    let rendered = json!({"userId": 7, "accessToken": "***", "wait": 90, "type": "***"});
    let registration = Registration::of::<Charge>();
    assert_eq!(registration.render(Stored::by::<Charge>(&bytes)).unwrap(), rendered);
    let registry = Registry::linked().unwrap();
    assert_eq!(registry.render("charge", Stored::by::<Charge>(&bytes)).unwrap().unwrap(), rendered);
    assert!(registry.render("unheard_of", Stored::by::<Charge>(&bytes)).is_none());
    let error = registry.render("charge", Stored::new(2, 0, &bytes)).unwrap().unwrap_err();
    assert!(matches!(error, PayloadError::Version { .. }), "{error}");
}

#[test]
fn debug_and_errors_do_not_tell_what_is_sensitive() {
    let expected = "Charge { user_id: 7, token: ***, wait: 90s, type: ***, cache: 3 }";
    assert_eq!(format!("{:?}", charge()), expected);
    assert_eq!(format!("{:?}", Hidden::Card("4111".into())), "Hidden(***)");
    let error = pgq_core::decode::<Hidden>(b"\x02{\"Card\":4111}").unwrap_err().to_string();
    let expected = "cannot decode the payload of this hidden job: it is no value of the type, of which no more is \
                    told because it has sensitive fields";
    assert_eq!(error, expected);
}

#[test]
fn an_index_has_the_chosen_fields_under_their_names_in_rust() {
    let index = charge().__pgq_index().unwrap().unwrap();
    assert_eq!(serde_json::Value::Object(index), json!({"user_id": 7, "wait": 90}));
    assert_eq!(Open(7, vec![]).__pgq_index().unwrap(), None);
}

#[derive(Job)]
#[job(index(text), enqueue_only)]
struct Long {
    text: String,
}

#[test]
fn an_index_has_a_limit() {
    let long = |bytes| Long { text: "x".repeat(bytes) }.__pgq_index();
    assert!(long(1024 - r#"{"text":""}"#.len()).is_ok());
    let error = long(1024).unwrap_err().to_string();
    let expected =
        "the fields that `index` names are 1035 bytes of JSON in this long job, over the limit of 1024";
    assert!(error.starts_with(expected), "{error}");
}

#[derive(Job, Serialize)]
#[job(unique, kind = "report", enqueue_only)]
struct Whole {
    user_id: i64,
    plans: HashMap<String, f64>,
}

#[derive(Job)]
#[job(kind = "report", queue = "other", codec = "json", version = 3, enqueue_only)]
#[job(unique(plans, user_id, while = queued, period = "1h", on_conflict = replace))]
struct Chosen {
    user_id: i64,
    plans: HashMap<String, f64>,
    note: String,
}

#[derive(Job)]
#[job(unique(on_conflict = debounce), enqueue_only)]
enum Tuple {
    Of(u8, String),
}

fn plans(first: f64) -> HashMap<String, f64> {
    let more = (0..20).map(|n| (n.to_string(), 0.5));
    more.chain([("a".to_owned(), first)]).collect()
}

#[test]
fn a_unique_key_is_made_of_the_chosen_fields() {
    let whole = |user_id| Whole { user_id, plans: plans(1.5) };
    let key = whole(7).__pgq_unique_key().unwrap().unwrap();
    assert_eq!(key, whole(7).__pgq_unique_key().unwrap().unwrap());
    assert_ne!(key, whole(8).__pgq_unique_key().unwrap().unwrap());
    let chosen = |note: &str| Chosen { user_id: 7, plans: plans(1.5), note: note.into() };
    assert_eq!(
        chosen("a").__pgq_unique_key().unwrap(),
        Some(key),
        "queue, codec, version and order do not count"
    );
    assert_eq!(chosen("b").__pgq_unique_key().unwrap(), Some(key));
    assert_eq!(key, UniqueKey::of("report", &whole(7)).unwrap());
    assert!(Tuple::Of(1, "a".into()).__pgq_unique_key().unwrap().is_some());
    assert_eq!(charge().__pgq_unique_key().unwrap(), None);
}

#[test]
fn a_key_without_a_form_in_json_is_an_error() {
    let error = Whole { user_id: 7, plans: plans(f64::NAN) }.__pgq_unique_key().unwrap_err();
    assert_eq!(error.to_string(), "cannot make the unique key of this report job");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(source, "it holds a number that is not finite, for which JSON has no form");
}

#[test]
fn the_policy_of_unique_jobs_arrives() {
    assert_eq!(Whole::UNIQUE, Some(Unique::while_unfinished()));
    let chosen = Chosen::UNIQUE.unwrap();
    assert_eq!(chosen.held_while(), HeldWhile::Queued);
    assert_eq!(chosen.longest(), Some(Duration::from_secs(3600)));
    assert_eq!(chosen.conflict(), OnConflict::Replace);
    assert_eq!(Tuple::UNIQUE, Some(Unique::while_unfinished().on_conflict(OnConflict::Debounce)));
    assert_eq!(Open::UNIQUE, None);
}
