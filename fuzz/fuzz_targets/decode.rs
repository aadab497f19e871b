//! Payloads of any bytes are decoded or refused: without a panic, in bounded time and memory. What decodes can be encoded,
//! and decodes to the same bytes again.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use pgq_core::{Job, Stored, encode};
use serde::{Deserialize, Serialize};

/// The oldest layout.
#[derive(Job)]
#[job(kind = "everything", enqueue_only)]
struct EverythingV1 {
    number: u64,
}

/// A field of every kind, and types that nest in themselves.
#[derive(Job)]
#[job(kind = "everything", version = 2, upcast_from = EverythingV1, enqueue_only)]
struct Everything {
    number: u64,
    small: (i8, u8, bool, char),
    large: i128,
    real: Option<f64>,
    text: String,
    bytes: Vec<u8>,
    units: Vec<()>,
    map: BTreeMap<String, Vec<Option<i32>>>,
    tree: Tree,
}

#[derive(Serialize, Deserialize)]
enum Tree {
    Leaf,
    Value(i64),
    Boxed(Box<Tree>),
    Branches { left: Box<Tree>, right: Vec<Tree> },
}

impl From<EverythingV1> for Everything {
    fn from(old: EverythingV1) -> Self {
        Self {
            number: old.number,
            small: (0, 0, false, ' '),
            large: 0,
            real: None,
            text: String::new(),
            bytes: Vec::new(),
            units: Vec::new(),
            map: BTreeMap::new(),
            tree: Tree::Leaf,
        }
    }
}

/// The same, readable in SQL.
#[derive(Job)]
#[job(codec = "json", enqueue_only)]
struct Readable {
    number: u64,
    text: String,
    map: BTreeMap<String, Vec<Option<i32>>>,
    tree: Tree,
}

fuzz_target!(|input: &[u8]| {
    let Some((choice, bytes)) = input.split_first() else { return };
    match choice % 3 {
        0 => again::<Everything>(Stored::by::<Everything>(bytes)),
        1 => again::<Everything>(Stored::by::<EverythingV1>(bytes)),
        _ => again::<Readable>(Stored::by::<Readable>(bytes)),
    }
});

fn again<J: Job>(stored: Stored<'_>) {
    let Ok(job) = stored.decode::<J>() else { return };
    // What is refused at enqueue is refused for its size alone: this was decoded within the same limits.
    let Ok(first) = encode(&job) else { return };
    let second: J = Stored::by::<J>(&first).decode().expect("what was encoded decodes");
    assert_eq!(encode(&second).expect("what was encoded once is again"), first);
}
