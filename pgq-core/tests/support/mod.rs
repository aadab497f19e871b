//! What the tests of hostile payloads share.

use std::time::{Duration, Instant};

use pgq_core::{Job, PayloadError, decode, encode};

/// Jobs that do nothing.
macro_rules! idle {
    ($($job:ty),*) => {
        $(impl ::pgq_core::Perform for $job {
            async fn perform(&self, _: &::pgq_core::Context) -> ::pgq_core::JobResult {
                Ok(())
            }
        })*
    };
}

/// Expects that decoding fails for this reason, and long before it has done what the bytes ask for.
pub(crate) fn refused<J: Job>(bytes: &[u8], expected: &str) {
    let start = Instant::now();
    let Err(PayloadError::Decode { reason, .. }) = decode::<J>(bytes) else { panic!("no decoding error") };
    assert!(start.elapsed() < Duration::from_secs(5), "{} took {:?}", J::KIND, start.elapsed());
    assert!(reason.contains(expected), "{}: {reason}", J::KIND);
}

/// Expects that encoding fails for this reason.
pub(crate) fn not_encoded<J: Job>(job: &J, expected: &str) {
    let Err(PayloadError::Encode { source, .. }) = encode(job) else { panic!("no encoding error") };
    assert_eq!(source.to_string(), expected);
}
