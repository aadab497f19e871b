//! The jobs that the workloads run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use pgq_postgres::{Context, Job, JobResult, Perform, encode};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// How large a payload is, encoded, where a workload does not say otherwise.
pub(crate) const PAYLOAD_BYTES: u32 = 64;

/// Does nothing, so that what is measured is everything else.
#[derive(Job, Clone)]
pub(crate) struct Noop {
    filler: String,
}

impl Noop {
    /// One whose payload has that many bytes.
    pub(crate) fn of(bytes: u32) -> anyhow::Result<Self> {
        let bytes = usize::try_from(bytes)?;
        let too_long = Self { filler: "x".repeat(bytes) };
        // The codec, and the length of the text.
        let around = encode(&too_long)?.len() - bytes;
        Ok(Self { filler: "x".repeat(bytes.saturating_sub(around)) })
    }
}

impl Perform for Noop {
    async fn perform(&self, _: &Context) -> JobResult {
        Ok(())
    }
}

/// Says when it began, takes a while, and may fail once.
#[derive(Job, Clone)]
#[job(state = Starts, retry_waits = ["0s"])]
pub(crate) struct Timed {
    /// Which one it is.
    pub(crate) n: u64,
    /// How long it takes, in microseconds.
    pub(crate) micros: u64,
    /// Whether its first attempt fails.
    pub(crate) fails: bool,
}

impl Perform for Timed {
    async fn perform(&self, ctx: &Context<Starts>) -> JobResult {
        if ctx.attempt() == 1 {
            ctx.state().began(self.n);
        }
        if self.micros > 0 {
            tokio::time::sleep(Duration::from_micros(self.micros)).await;
        }
        if self.fails && ctx.attempt() == 1 { Err("as it was asked to".into()) } else { Ok(()) }
    }
}

/// Where handlers say when they began. Its clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Starts {
    to: UnboundedSender<(u64, Instant)>,
    count: Arc<AtomicU64>,
}

impl Starts {
    pub(crate) fn new() -> (Self, UnboundedReceiver<(u64, Instant)>) {
        let (to, starts) = unbounded_channel();
        (Self { to, count: Arc::default() }, starts)
    }

    /// That job begins now.
    pub(crate) fn began(&self, n: u64) {
        self.count.fetch_add(1, Relaxed);
        // Nobody listens where times are of no interest.
        let _ = self.to.send((n, Instant::now()));
    }

    /// How many have begun.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_as_large_as_it_was_asked_to_be() {
        for bytes in [PAYLOAD_BYTES, 250, 1024, 8192] {
            assert_eq!(encode(&Noop::of(bytes).unwrap()).unwrap().len(), usize::try_from(bytes).unwrap());
        }
    }
}
