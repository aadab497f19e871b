//! Producers that enqueue, each on its own, flat out or at a pace.

use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::gate;
use crate::job::Starts;
use crate::latency::Latencies;
use crate::measure::{Outcome, outcome};

/// How many jobs may be on their way where the runner says how fast they come: enough that it never waits for them.
const MOST_AHEAD: u64 = 500;

/// How soon a producer looks again whether it may go on.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);

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

/// How fast paced producers are.
#[derive(Debug, Clone)]
pub(crate) enum Pace {
    /// So many jobs a second, of all of them together.
    Rate(u64),
    /// As fast as these begin.
    AsTheyBegin(Starts),
}

/// Every producer enqueues its share of the jobs at that pace; the moments at which their commits were done.
pub(crate) async fn paced<P: Produce>(
    producers: Vec<P::To>,
    jobs: u64,
    pace: &Pace,
    produce: P,
) -> Result<Vec<Instant>> {
    let count = producers.len();
    let producers: Vec<_> = producers
        .into_iter()
        .zip(shares(jobs, count))
        .map(|(to, share)| tokio::spawn(at_pace(to, share, (pace.clone(), count), produce.clone())))
        .collect();
    let mut committed = Vec::new();
    for producer in producers {
        committed.extend(producer.await??);
    }
    Ok(committed)
}

async fn at_pace<P: Produce>(
    mut to: P::To,
    share: Range<u64>,
    (pace, producers): (Pace, usize),
    produce: P,
) -> Result<Vec<Instant>> {
    let between = match &pace {
        Pace::Rate(rate) => Duration::from_secs_f64(producers as f64 / *rate as f64),
        Pace::AsTheyBegin(_) => LOOK_INTERVAL,
    };
    let mut ticks = interval(between);
    // What came late does not make the others come later: the rate is the rate.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut committed = Vec::with_capacity(usize::try_from(share.end - share.start)?);
    let first = share.start;
    for n in share {
        match &pace {
            Pace::Rate(_) => drop(ticks.tick().await),
            Pace::AsTheyBegin(starts) => {
                // This one's part in what all have enqueued.
                while (n - first) * producers as u64 > starts.count() + MOST_AHEAD {
                    sleep(LOOK_INTERVAL).await;
                }
            }
        }
        produce.produce(&mut to, n).await?;
        committed.push(Instant::now());
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
