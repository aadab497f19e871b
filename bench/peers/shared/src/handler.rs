//! What every job does: says when it began, and takes a while.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::Payload;

static STARTS: OnceLock<UnboundedSender<(u64, Instant)>> = OnceLock::new();
static HANDLED: AtomicU64 = AtomicU64::new(0);

/// The work of a job.
pub async fn handle(job: &Payload) {
    if let Some(starts) = STARTS.get() {
        // Nobody listens where times are of no interest.
        let _ = starts.send((job.n, Instant::now()));
    }
    if job.micros > 0 {
        tokio::time::sleep(Duration::from_micros(job.micros)).await;
    }
    HANDLED.fetch_add(1, Relaxed);
}

/// When jobs began, from now on.
pub(crate) fn starts() -> UnboundedReceiver<(u64, Instant)> {
    let (to, starts) = unbounded_channel();
    STARTS.set(to).expect("a program measures once");
    starts
}

/// How many were handled: only a hint when to look.
pub(crate) fn handled() -> u64 {
    HANDLED.load(Relaxed)
}
