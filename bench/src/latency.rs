//! Times from a job's commit to its handler's first line, in one process and so by one clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgq_postgres::{Context, Job, JobResult, Perform, Runner, RunnerHandle};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

/// Says when it began, and takes a while.
#[derive(Job)]
#[job(state = Starts)]
pub(crate) struct Timed {
    /// Which one it is.
    pub(crate) n: usize,
    /// How long it takes, in microseconds.
    pub(crate) micros: u64,
}

/// Where handlers say when they began.
pub(crate) struct Starts(UnboundedSender<(usize, Instant)>);

impl Perform for Timed {
    async fn perform(&self, ctx: &Context<Starts>) -> JobResult {
        let began = Instant::now();
        if self.micros > 0 {
            tokio::time::sleep(Duration::from_micros(self.micros)).await;
        }
        Ok(ctx.state().0.send((self.n, began))?)
    }
}

/// A runner of timed jobs, with its default settings.
pub(crate) struct TimedRunner {
    pub(crate) handle: RunnerHandle,
    pub(crate) starts: UnboundedReceiver<(usize, Instant)>,
    running: JoinHandle<Result<(), pgq_postgres::Error>>,
}

impl TimedRunner {
    pub(crate) fn start(pool: &sqlx::PgPool) -> Self {
        let (to_starts, starts) = unbounded_channel();
        let runner = Runner::empty().register::<Timed>().state(Starts(to_starts)).pool(pool.clone());
        let runner = runner.without_signals();
        Self { handle: runner.handle(), starts, running: tokio::spawn(runner.run()) }
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.handle.stop();
        Ok(self.running.await??)
    }
}

/// Latencies, sorted.
#[derive(Debug, Clone)]
pub(crate) struct Latencies(Arc<[Duration]>);

impl Latencies {
    pub(crate) fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        Self(all.into())
    }

    /// In milliseconds; the share is from 0 to 1.
    pub(crate) fn percentile(&self, share: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        let at = (last as f64 * share).round() as usize;
        self.0.get(at).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1000.0)
    }

    pub(crate) fn json(&self) -> Value {
        let at = |share| (self.percentile(share) * 1000.0).round() / 1000.0;
        json!({ "p50_ms": at(0.5), "p95_ms": at(0.95), "p99_ms": at(0.99), "p999_ms": at(0.999), "max_ms": at(1.0) })
    }
}

impl std::fmt::Display for Latencies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [p50, p95, p99, max] = [0.5, 0.95, 0.99, 1.0].map(|share| self.percentile(share));
        write!(
            f,
            "p50 {p50:.2} ms   p95 {p95:.2} ms   p99 {p99:.2} ms   max {max:.2} ms   of {}",
            self.0.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_values() {
        let latencies = Latencies::of((1..=101).rev().map(Duration::from_millis).collect());
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|share| latencies.percentile(share)), [1.0, 51.0, 100.0, 101.0]);
    }
}
