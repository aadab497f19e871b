//! Payloads that a row lost, gained or changed bytes of: decoding never panics, and says in words what is wrong.

#![cfg(feature = "bincode")]
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashMap};

use pgq_core::{Job, decode, encode};
use serde::{Deserialize, Serialize};

use crate::support::{not_encoded, refused};

#[macro_use]
mod support;

#[derive(Job, Debug, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Pair(u8, Box<Tree>),
    Maybe(Option<Box<Tree>>),
    List(Vec<Tree>),
    Map(BTreeMap<u8, Tree>),
}

#[derive(Job, Debug)]
struct Text(String);

#[derive(Job, Debug)]
struct Texts(Vec<Vec<String>>);

#[derive(Job, Debug)]
struct Numbers(Vec<u64>);

#[derive(Job, Debug)]
struct Hashed(HashMap<String, [u64; 32]>);

#[derive(Job, Debug)]
struct Flag(bool);

#[derive(Job, Debug)]
struct Small(u16);

#[derive(Job, Debug)]
struct Letter(char);

#[derive(Job, Debug)]
struct Anything(#[serde(with = "anything")] u8);

#[derive(Job, Debug)]
struct Unsized(#[serde(with = "unsized_list")] Vec<u8>);

#[derive(Job, Debug)]
struct Raw(#[serde(with = "raw")] Vec<u8>);

idle!(Tree, Text, Texts, Numbers, Hashed, Flag, Small, Letter, Anything, Unsized, Raw);

/// A field that its codec stores as bytes, without a length for each.
mod raw {
    use std::fmt;

    use serde::{Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }

        deserializer.deserialize_byte_buf(Visitor)
    }
}

/// A field that is whatever the payload says, as `serde_json::Value` is.
mod anything {
    use serde::de::IgnoredAny;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(_: &u8, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
        deserializer.deserialize_any(IgnoredAny)?;
        u8::deserialize(serde::de::value::U8Deserializer::<D::Error>::new(0))
    }
}

/// A field that does not say how long it is.
mod unsized_list {
    use serde::ser::SerializeSeq;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(_: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_seq(None)?.end()
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        Vec::deserialize(deserializer)
    }
}

#[test]
fn reasons_are_words() {
    refused::<Flag>(&[1, 7], "it holds 7 in place of a bool");
    refused::<Small>(&[1, 253, 0, 0, 0, 0, 0, 0, 0, 0], "it holds a number of type u64 in place of u16");
    refused::<Letter>(&[1, 0xff], "it holds a char that is not UTF-8");
    refused::<Text>(&[1, 1, 0xff], "it holds a text that is not UTF-8: invalid utf-8 sequence");
    refused::<Text>(&[1, 2, b'a'], "it ends too early");
    refused::<Raw>(&[&[1, 253][..], &[0xff; 8]].concat(), "it ends too early");
    refused::<Tree>(&[1, 2, 2], "it holds 2 in place of none (0) or some (1)");
    refused::<Tree>(&[1, 5], "invalid value: integer `5`, expected variant index 0 <= i < 5");
    refused::<Anything>(&[1, 0], "its type takes data of any form");
    not_encoded(&Unsized(vec![]), "a sequence or map in it does not say its length before its elements");
}

#[test]
fn bytes_that_a_row_lost_or_gained_never_panic() {
    let map = BTreeMap::from([(1, Tree::Leaf), (200, Tree::Maybe(None))]);
    let pair = Tree::Pair(9, Box::new(Tree::Map(map)));
    damaged(&Tree::List(vec![Tree::Leaf, pair, Tree::List(vec![Tree::Maybe(Some(Box::new(Tree::Leaf)))])]));
    damaged(&Texts(vec![vec!["a".into(), "long".repeat(70)], vec![], vec![String::new(); 3]]));
    damaged(&Hashed(HashMap::from([("k".into(), [3; 32]), ("l".into(), [u64::MAX; 32])])));
    damaged(&Numbers((0..64).map(|bit| 1 << bit).collect()));
    damaged(&Raw((0..=255).collect()));
}

/// Decodes every prefix, every longer row and every row with one bit wrong.
fn damaged<J: Job>(job: &J) {
    let bytes = encode(job).unwrap();
    for end in 0..bytes.len() {
        refused::<J>(&bytes[..end], "");
    }
    for byte in 0..=u8::MAX {
        refused::<J>(&[&bytes[..], &[byte; 3]].concat(), "3 bytes are left over");
    }
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let panicked = matches!(decode::<J>(&flipped), Err(e) if e.to_string().contains("panicked"));
        assert!(!panicked, "bit {bit} of a {} job", J::KIND);
    }
}
