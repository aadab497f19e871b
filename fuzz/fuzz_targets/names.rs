//! Names of kinds and queues are what the rules say, or refused with words that fit a line.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pgq_core::{Kind, MAX_NAME_BYTES, QueueName};

fuzz_target!(|text: &str| {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.:/".contains(c);
    let good = !text.is_empty() && text.len() <= MAX_NAME_BYTES && text.chars().all(allowed);
    match QueueName::new(text) {
        Ok(name) => assert!(good && name.as_str() == text),
        Err(error) => assert!(!good && error.to_string().len() < 2000),
    }
    assert_eq!(Kind::new(text).is_ok(), good);
});
