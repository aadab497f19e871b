//! The options of a job, which hold its durations, are read or refused; what was read can be written and read again as
//! the same. Waits made of them are within their maximum, whatever the attempt.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use pgq_core::{JobOptions, Retry};

fuzz_target!(|bytes: &[u8]| {
    let Ok(options) = serde_json::from_slice::<JobOptions>(bytes) else { return };
    let written = serde_json::to_vec(&options).expect("what was read can be written");
    let again: JobOptions = serde_json::from_slice(&written).expect("what was written can be read");
    assert_eq!(again.timeout(), options.timeout());
    let Some(retry) = &options.retry else { return };
    assert_eq!(again.retry.as_ref().map(Retry::natural_attempts), Some(retry.natural_attempts()));
    for attempt in [i16::MIN, 0, 1, 2, 40, i16::MAX] {
        for random in [0.0, 0.5, 1.0] {
            assert!(retry.wait(attempt, random) <= longest(retry));
        }
    }
});

fn longest(retry: &Retry) -> Duration {
    match retry {
        Retry::Waits(waits) => waits.iter().max().copied().unwrap_or_default(),
        Retry::Fixed(wait) => *wait,
        Retry::Exponential { max, .. } => *max,
        _ => Duration::MAX,
    }
}
