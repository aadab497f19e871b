//! Producers that enqueue, each on its own, flat out or as jobs come.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::sync::Mutex;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::arrivals::{Pace, arrivals};
use crate::gate;
use crate::latency::Latencies;
use crate::measure::{Outcome, outcome};

/// Enqueues one job, or one transaction of jobs.
pub(crate) trait Produce: Clone + Send + 'static {
    /// What each producer has: a session, mostly.
    type To: Send + 'static;

    /// Its end is the commit's.
    fn produce(&self, to: &mut Self::To, n: u64) -> impl Future<Output = Result<()>> + Send;
}

/// Lets the producers enqueue that many jobs by so many calls, and says how fast that was and how long each call took.
pub(crate) async fn measured<P: Produce>(
    producers: Vec<P::To>,
    (jobs, calls): (u64, u64),
    produce: P,
) -> Result<Outcome> {
    gate::open().await?;
    let (time, latencies) = flat_out(producers, calls, produce).await?;
    let mut outcome = outcome(jobs, time);
    outcome.extend(latencies.json());
    Ok(outcome)
}

/// Every producer enqueues its share of `times`, each call after the one before. The time from the first call to the
/// last commit, and how long each took.
async fn flat_out<P: Produce>(
    producers: Vec<P::To>,
    times: u64,
    produce: P,
) -> Result<(Duration, Latencies)> {
    let started = Instant::now();
    let shares = shares(times, producers.len());
    let producers: Vec<_> = producers
        .into_iter()
        .zip(shares)
        .map(|(to, share)| tokio::spawn(one_by_one(to, share, produce.clone())))
        .collect();
    let (mut latencies, mut end) = (Vec::new(), started);
    for producer in producers {
        let (took, last) = producer.await??;
        latencies.extend(took);
        end = end.max(last);
    }
    Ok((end - started, Latencies::of(latencies)))
}

async fn one_by_one<P: Produce>(
    mut to: P::To,
    share: Range<u64>,
    produce: P,
) -> Result<(Vec<Duration>, Instant)> {
    let mut took = Vec::with_capacity(usize::try_from(share.end - share.start)?);
    let mut last = Instant::now();
    for n in share {
        let begin = Instant::now();
        produce.produce(&mut to, n).await?;
        last = Instant::now();
        took.push(last - begin);
    }
    Ok((took, last))
}

/// The producers enqueue the jobs as they come, whoever is free; the moments at which their commits were done, in the order of
/// the jobs.
pub(crate) async fn paced<P: Produce>(
    producers: Vec<P::To>,
    jobs: u64,
    pace: &Pace,
    produce: P,
) -> Result<Vec<Instant>> {
    let arrivals = Arc::new(Mutex::new(arrivals(jobs, pace)));
    let producers: Vec<_> = producers
        .into_iter()
        .map(|to| tokio::spawn(as_they_come(to, arrivals.clone(), produce.clone())))
        .collect();
    let mut committed = Vec::new();
    for producer in producers {
        committed.extend(producer.await??);
    }
    committed.sort_unstable();
    Ok(committed.into_iter().map(|(_, at)| at).collect())
}

async fn as_they_come<P: Produce>(
    mut to: P::To,
    arrivals: Arc<Mutex<UnboundedReceiver<u64>>>,
    produce: P,
) -> Result<Vec<(u64, Instant)>> {
    let mut committed = Vec::new();
    let next = async || arrivals.lock().await.recv().await;
    while let Some(n) = next().await {
        produce.produce(&mut to, n).await?;
        committed.push((n, Instant::now()));
    }
    Ok(committed)
}

/// Splits `all` into so many runs, as even as can be.
fn shares(all: u64, parts: usize) -> impl Iterator<Item = Range<u64>> {
    let parts = parts as u64;
    (0..parts).map(move |part| all * part / parts..all * (part + 1) / parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_even_and_leave_nothing_out() {
        let split = |all, parts| shares(all, parts).collect::<Vec<_>>();
        assert_eq!(split(10, 4), [0..2, 2..5, 5..7, 7..10]);
        assert_eq!(split(2, 3), [0..0, 0..1, 1..2]);
    }
}
