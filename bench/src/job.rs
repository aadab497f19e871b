//! The job that all workloads run.

use pgq_postgres::{Context, Job, JobResult, Perform};

/// How large its payload is, encoded.
pub(crate) const PAYLOAD_BYTES: usize = 64;

/// Does nothing, so that what is measured is everything else.
#[derive(Job)]
pub(crate) struct Noop {
    filler: String,
}

impl Noop {
    /// One whose payload has [`PAYLOAD_BYTES`]: the codec and the length take a byte each.
    pub(crate) fn new() -> Self {
        Self { filler: "x".repeat(PAYLOAD_BYTES - 2) }
    }
}

impl Perform for Noop {
    async fn perform(&self, _: &Context) -> JobResult {
        Ok(())
    }
}

#[cfg(all(test, feature = "bincode"))]
mod tests {
    use super::*;

    #[test]
    fn its_payload_is_as_large_as_it_says() {
        assert_eq!(pgq_postgres::encode(&Noop::new()).unwrap().len(), PAYLOAD_BYTES);
    }
}
