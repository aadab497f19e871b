//! Codecs: the library's, those of users, and what each of them can carry.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use pgq_core::{BoxError, Codec, Job, Json, PayloadError, Shape, Stored, decode, encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Job, Debug, PartialEq)]
#[job(codec = "json", enqueue_only)]
struct Welcome {
    user_id: i64,
    #[serde(default)]
    plan: String,
}

#[derive(Job, Debug, PartialEq)]
#[job(enqueue_only)]
struct Default {
    user_id: i64,
}

/// Everything that needs names.
#[derive(Job, Debug, PartialEq)]
#[job(codec = "json", enqueue_only)]
#[serde(tag = "type", rename_all = "camelCase")]
enum Named {
    #[serde(skip)]
    Never,
    Plain,
    Rich {
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        #[serde(flatten)]
        rest: BTreeMap<String, Value>,
    },
}

#[derive(Job, Debug, PartialEq)]
#[job(codec = "json", enqueue_only)]
#[serde(untagged)]
enum Untagged {
    Number(u8),
    Text(String),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Value {
    Number(f64),
    List(Vec<Value>),
}

/// Every way to hold something.
#[derive(Job, Debug, PartialEq, Serialize, Deserialize)]
#[job(codec = Reversed, enqueue_only)]
enum Tree {
    Leaf,
    Unit(()),
    Wrapped(Box<Tree>),
    Pair(u8, Box<Tree>),
    Named { tree: Box<Tree> },
    Maybe(Option<Box<Tree>>),
    List(Vec<Tree>),
    Map(BTreeMap<String, Tree>),
    Plain(bool, i64, f32, char, String, Vec<u8>),
}

#[derive(Job, Debug, PartialEq, Serialize, Deserialize)]
#[job(kind = "json_tree", codec = "json", enqueue_only)]
struct JsonTree(Vec<JsonTree>, Option<Box<JsonVariant>>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum JsonVariant {
    Pair(u8, JsonTree),
}

/// JSON from its end to its start.
struct Reversed;

impl Codec for Reversed {
    const TAG: u8 = 200;

    fn encode<T: Serialize>(value: &T, out: &mut Vec<u8>) -> Result<(), BoxError> {
        let start = out.len();
        Json::encode(value, out)?;
        out[start..].reverse();
        Ok(())
    }

    fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, BoxError> {
        Json::decode(&body.iter().rev().copied().collect::<Vec<_>>())
    }
}

fn goes_round<J: Job + Debug + PartialEq>(job: &J) -> Vec<u8> {
    let bytes = encode(job).unwrap();
    assert_eq!(decode::<J>(&bytes).unwrap(), *job);
    for end in 0..bytes.len() {
        decode::<J>(&bytes[..end]).unwrap_err();
    }
    bytes
}

#[test]
fn json_is_text_that_people_read() {
    let bytes = goes_round(&Welcome { user_id: 7, plan: "free".into() });
    assert_eq!(bytes, b"\x02{\"user_id\":7,\"plan\":\"free\"}");
    decode::<Welcome>(&[bytes.as_slice(), b"x"].concat()).unwrap_err();
}

#[test]
fn attributes_that_need_names_have_them_in_json() {
    for named in [
        Named::Plain,
        Named::Rich { note: None, rest: BTreeMap::new() },
        Named::Rich {
            note: Some("n".into()),
            rest: BTreeMap::from([("a".into(), Value::List(vec![Value::Number(1.5)]))]),
        },
    ] {
        goes_round(&named);
    }
    assert!(encode(&Named::Never).is_err());
    for untagged in [Untagged::Number(3), Untagged::Text("t".into())] {
        assert_eq!(decode::<Untagged>(&encode(&untagged).unwrap()).unwrap(), untagged);
    }
}

#[test]
fn a_codec_that_describes_itself_reads_other_shapes() {
    let bytes = encode(&Welcome { user_id: 7, plan: String::new() }).unwrap();
    let other = Stored::new(1, Welcome::SHAPE + 1, &bytes);
    assert_eq!(other.decode::<Welcome>().unwrap().user_id, 7);
    let older = Stored::new(1, 99, b"\x02{\"user_id\":8}");
    assert_eq!(older.decode::<Welcome>().unwrap(), Welcome { user_id: 8, plan: String::new() });
    let error = Stored::new(1, 99, b"\x02{}").decode::<Welcome>().unwrap_err();
    assert!(error.to_string().contains("missing field `user_id`"), "{error}");
    let nameless = encode(&Tree::Leaf).unwrap();
    let error = Stored::new(1, 99, &nameless).decode::<Tree>().unwrap_err();
    assert!(matches!(error, PayloadError::Shape { .. }), "{error}");
}

#[test]
fn a_type_may_change_between_the_codecs_of_the_library() {
    assert_eq!(decode::<Default>(b"\x02{\"user_id\":7}").unwrap(), Default { user_id: 7 });
    let tree = decode::<Tree>(b"\x02{\"Pair\":[1,\"Leaf\"]}").unwrap();
    assert_eq!(tree, Tree::Pair(1, Box::new(Tree::Leaf)));
    let error = decode::<Default>(b"\xc87").unwrap_err();
    let expected = "cannot decode the payload of this default job: it was written by codec 200, which is neither this \
                    type's nor one of the library's";
    assert_eq!(error.to_string(), expected);
    if cfg!(feature = "bincode") {
        assert_eq!(decode::<Welcome>(b"\x01\x0e\x00").unwrap().user_id, 7);
    } else {
        let error = decode::<Welcome>(b"\x01\x0e\x00").unwrap_err().to_string();
        assert!(error.ends_with("build it with the feature `bincode` of pgq"), "{error}");
    }
}

#[test]
fn the_default_codec_follows_the_features() {
    let tag = encode(&Default { user_id: 7 }).unwrap()[0];
    assert_eq!(tag, if cfg!(feature = "bincode") { 1 } else { 2 });
}

#[test]
fn codecs_of_users_carry_every_form_within_the_limits() {
    let plain = || Tree::Plain(true, -7, 0.5, 'ä', "t\"".into(), vec![1, 2]);
    let forms: [fn(Tree) -> Tree; 6] = [
        |tree| Tree::Wrapped(Box::new(tree)),
        |tree| Tree::Pair(1, Box::new(tree)),
        |tree| Tree::Named { tree: Box::new(tree) },
        |tree| Tree::Maybe(Some(Box::new(tree))),
        |tree| Tree::List(vec![Tree::Unit(()), tree]),
        |tree| Tree::Map(BTreeMap::from([("k".into(), tree)])),
    ];
    let all = forms.iter().fold(plain(), |tree, form| form(tree));
    let bytes = goes_round(&all);
    assert_eq!((bytes[0], bytes[1]), (200, b'}'));
    for form in forms {
        let deep = (0..130).fold(Tree::Leaf, |tree, _| form(tree));
        let PayloadError::Encode { source, .. } = encode(&deep).unwrap_err() else {
            panic!("no encoding error")
        };
        assert!(source.to_string().starts_with("it nests deeper than 128 levels"), "{source}");
    }
}

#[test]
fn what_is_encoded_in_json_can_be_decoded_at_every_depth() {
    let empty = || JsonTree(vec![], None);
    let forms: [fn(JsonTree) -> JsonTree; 2] = [
        |tree| JsonTree(vec![tree], None),
        |tree| JsonTree(vec![], Some(Box::new(JsonVariant::Pair(1, tree)))),
    ];
    for form in forms {
        let refused = (1..130).find(|depth| {
            let tree = (0..*depth).fold(empty(), |tree, _| form(tree));
            match encode(&tree) {
                Ok(bytes) => {
                    assert_eq!(decode::<JsonTree>(&bytes).unwrap(), tree);
                    false
                }
                Err(error) => {
                    assert!(matches!(error, PayloadError::Encode { .. }), "{error}");
                    true
                }
            }
        });
        assert!(refused.is_some_and(|depth| depth > 40), "{refused:?}");
    }
}

/// What a type holds that its codec cannot read back.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Dto {
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

#[derive(Job)]
#[job(enqueue_only)]
struct HoldsDto(Dto, u8);

#[derive(Job)]
#[job(enqueue_only)]
struct HoldsAnything(serde_json::Value);

#[derive(Job)]
#[job(enqueue_only, codec = "json")]
struct Float(f64);

#[derive(Job, Debug, PartialEq)]
#[job(enqueue_only)]
struct Hashed(HashMap<String, u8>);

#[test]
fn a_type_that_cannot_be_read_back_is_refused_at_its_first_enqueue() {
    let words = |error: PayloadError| error.to_string();
    if cfg!(feature = "bincode") {
        let expected = "the payload of this holds_anything job could be enqueued but not read back: its type takes \
                        data of any form, which bincode cannot read: store that as text; set `codec = \"json\"` on \
                        the type, or store the value in another form";
        for _ in 0..2 {
            assert_eq!(words(encode(&HoldsAnything(7.into())).unwrap_err()), expected);
            let refused = words(encode(&HoldsDto(Dto { note: None }, 0)).unwrap_err());
            assert!(
                refused.contains("could be enqueued but not read back: it ends too early; set"),
                "{refused}"
            );
        }
    }
    encode(&Float(0.5)).unwrap();
    let PayloadError::Encode { source, .. } = encode(&Float(f64::NAN)).unwrap_err() else {
        panic!("no encoding error")
    };
    assert_eq!(source.to_string(), "it holds a number that is not finite, for which JSON has no form");
    goes_round(&Hashed((0..50).map(|n| (n.to_string(), n)).collect()));
}

#[test]
fn a_json_payload_has_the_same_limit() {
    let larger = Welcome { user_id: 7, plan: "x".repeat(2 << 20) };
    assert!(matches!(encode(&larger), Err(PayloadError::TooLarge { bytes: 2_097_176, .. })));
}
