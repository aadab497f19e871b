//! Payloads that are too deep, too long or claim to be: they are refused soon, and what is accepted at enqueue is
//! accepted at the run.

#![cfg(feature = "bincode")]
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashMap};

use bincode::config::standard;
use pgq_core::{Job, MAX_PAYLOAD_BYTES, PayloadError, decode, encode};
use serde::{Deserialize, Serialize};

use crate::support::{not_encoded, refused};

#[macro_use]
mod support;

/// A list: every link of it is two levels, the struct and the option.
#[derive(Job, Debug, Default, Serialize, Deserialize)]
struct Chain(Option<Box<Chain>>);

/// A list whose links are large, so that decoding keeps much on the stack.
#[derive(Job, Debug, Default, Serialize, Deserialize)]
struct WideChain {
    numbers: [[u64; 16]; 4],
    next: Option<Box<WideChain>>,
}

/// Every form that holds another value.
#[derive(Job, Debug, PartialEq, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Wrapped(Box<Tree>),
    Pair(u8, Box<Tree>),
    Named { tree: Box<Tree> },
    Maybe(Option<Box<Tree>>),
    Tuple((u8, Box<Tree>)),
    List(Vec<Tree>),
    Map(BTreeMap<u8, Tree>),
}

#[derive(Job, Debug, PartialEq)]
struct Units(Vec<()>);

#[derive(Job, Debug, PartialEq)]
struct Text(String);

#[derive(Job, Debug, PartialEq)]
struct Numbers(Vec<u64>);

#[derive(Job, Debug)]
struct Texts(Vec<Vec<String>>);

#[derive(Job, Debug)]
struct Sorted(BTreeMap<u64, ()>);

#[derive(Job, Debug)]
struct Hashed(HashMap<String, [u64; 32]>);

idle!(Chain, WideChain, Tree, Units, Text, Numbers, Texts, Sorted, Hashed);

fn chain(links: usize) -> Chain {
    (0..links).fold(Chain::default(), |chain, _| Chain(Some(Box::new(chain))))
}

#[test]
fn depth_has_a_limit() {
    let too_deep = "it nests deeper than 128 levels";
    // The last link is a struct with an empty option: two levels, as every other.
    decode::<Chain>(&encode(&chain(63)).unwrap()).unwrap();
    not_encoded(&chain(64), too_deep);
    refused::<Chain>(&[&[1; 65][..], &[0]].concat(), too_deep);
    refused::<Chain>(&vec![1; MAX_PAYLOAD_BYTES], too_deep);
}

#[test]
fn the_deepest_value_fits_the_stack_of_a_thread() {
    let next = |next| WideChain { numbers: [[0; 16]; 4], next: Some(Box::new(next)) };
    let deepest = (0..62).fold(WideChain::default(), |chain, _| next(chain)); // the numbers have two levels more
    decode::<WideChain>(&encode(&deepest).unwrap()).unwrap();
    not_encoded(&next(next(deepest)), "it nests deeper than 128 levels");
}

#[test]
fn what_is_encoded_can_be_decoded_at_every_depth_and_form() {
    let forms: [fn(Box<Tree>) -> Tree; 7] = [
        Tree::Wrapped,
        |tree| Tree::Pair(1, tree),
        |tree| Tree::Named { tree },
        |tree| Tree::Maybe(Some(tree)),
        |tree| Tree::Tuple((1, tree)),
        |tree| Tree::List(vec![*tree]),
        |tree| Tree::Map(BTreeMap::from([(1, *tree)])),
    ];
    for form in forms {
        for leaf in [|| Tree::Leaf, || Tree::Maybe(None), || Tree::List(vec![])] {
            let limit =
                (1..=130).find(|depth| both_ways((0..*depth).fold(leaf(), |tree, _| form(Box::new(tree)))));
            assert!(matches!(limit, Some(63..=128)), "{limit:?}");
        }
    }
}

/// Whether encoding and decoding refuse the tree; they must be of one mind.
fn both_ways(tree: Tree) -> bool {
    let plain = [vec![1], bincode::serde::encode_to_vec(&tree, standard()).unwrap()].concat();
    let decoded = decode::<Tree>(&plain);
    match encode(&tree) {
        Ok(bytes) => {
            assert_eq!(bytes, plain, "the limits do not change the format");
            assert_eq!(decoded.unwrap(), tree);
            false
        }
        Err(_) => {
            decoded.unwrap_err();
            true
        }
    }
}

/// A codec's byte and a length, and little more.
fn claim(elements: u64) -> Vec<u8> {
    [&[1, 253][..], &elements.to_le_bytes(), &[0; 20]].concat()
}

#[test]
fn a_claimed_length_is_not_believed() {
    for elements in [5000, 1 << 20, 1 << 40, u64::MAX >> 1, u64::MAX] {
        let bytes = claim(elements);
        let excess = format!("it claims {elements} elements, more than its bytes can hold");
        refused::<Units>(&bytes, &excess);
        refused::<Numbers>(&bytes, &excess);
        refused::<Texts>(&bytes, &excess);
        refused::<Sorted>(&bytes, &excess);
        refused::<Hashed>(&bytes, &excess);
        refused::<Text>(&bytes, "it ends too early");
    }
    // Claims within claims, each of which could be true.
    let claims = [&[1][..], &[6, 251, 0, 16].repeat(60)].concat();
    refused::<Tree>(&claims, "it claims 4096 elements, more than its bytes can hold");
}

#[test]
fn elements_without_bytes_have_a_limit() {
    let most = Units(vec![(); 4096]);
    assert_eq!(decode::<Units>(&encode(&most).unwrap()).unwrap(), most);
    let too_many = "it has more than 4096 elements that take no bytes";
    not_encoded(&Units(vec![(); 5000]), too_many);
    not_encoded(&Units(vec![(); usize::MAX]), too_many);
    let sized = Numbers(vec![7; MAX_PAYLOAD_BYTES - 6]);
    assert_eq!(decode::<Numbers>(&encode(&sized).unwrap()).unwrap(), sized);
}

#[test]
fn a_payload_over_the_limit_says_how_large_it_is() {
    let refused = encode(&Text("x".repeat(3 << 20))).unwrap_err();
    assert!(matches!(refused, PayloadError::TooLarge { bytes: 3_145_734, .. }), "{refused}");
    let refused = encode(&Numbers(vec![u64::MAX; 1 << 20])).unwrap_err();
    assert!(matches!(refused, PayloadError::TooLarge { bytes: 9_437_190, .. }), "{refused}");
}
