//! When jobs come.

use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::sleep;

use crate::job::Starts;

/// All sides get the same moments.
const SEED: u64 = 1;

/// How many jobs may be on their way where the runner says how fast they come: enough that it never waits for them.
const MOST_AHEAD: u64 = 500;

/// How soon to look again whether more have begun.
const LOOK_INTERVAL: Duration = Duration::from_millis(1);

/// How fast jobs come.
#[derive(Debug, Clone)]
pub(crate) enum Pace {
    /// So many a second on average, each at random.
    Rate(u64),
    /// As fast as these begin.
    AsTheyBegin(Starts),
}

/// Tells of each job, by its number, when it comes. Late ones do not make the others later.
pub(crate) fn arrivals(jobs: u64, pace: &Pace) -> UnboundedReceiver<u64> {
    let (come, arrivals) = unbounded_channel();
    match pace.clone() {
        // The runtime's timer counts in milliseconds, as a runner does that looks at each of its ticks: all jobs would come
        // in the same moment of such a look. A thread sleeps as finely as the system does.
        Pace::Rate(rate) => drop(thread::spawn(move || at_random(jobs, rate, &come))),
        Pace::AsTheyBegin(starts) => drop(tokio::spawn(as_they_begin(jobs, starts, come))),
    }
    arrivals
}

/// The times between two are distributed exponentially: many clients that know nothing of each other.
fn at_random(jobs: u64, rate: u64, come: &UnboundedSender<u64>) {
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut next = Instant::now();
    for n in 0..jobs {
        next += between(&mut random, rate);
        thread::sleep(next.saturating_duration_since(Instant::now()));
        if come.send(n).is_err() {
            // The producers have failed, and say why.
            return;
        }
    }
}

fn between(random: &mut fastrand::Rng, rate: u64) -> Duration {
    Duration::from_secs_f64(-(1.0 - random.f64()).ln() / rate as f64)
}

async fn as_they_begin(jobs: u64, starts: Starts, come: UnboundedSender<u64>) {
    for n in 0..jobs {
        while n > starts.count() + MOST_AHEAD {
            sleep(LOOK_INTERVAL).await;
        }
        if come.send(n).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_come_at_their_rate_on_average_and_at_random() {
        let mut random = fastrand::Rng::with_seed(SEED);
        let mut between: Vec<_> = (0..10_000).map(|_| between(&mut random, 1000)).collect();
        between.sort_unstable();
        let mean = between.iter().sum::<Duration>() / 10_000;
        let median = between[5_000];
        assert!((970..=1030).contains(&mean.as_micros()), "{mean:?}");
        // The logarithm of two.
        assert!((663..=723).contains(&median.as_micros()), "{median:?}");
    }

    #[tokio::test]
    async fn each_job_comes_once() {
        let mut arrivals = arrivals(100, &Pace::Rate(100_000));
        let mut all = Vec::new();
        while let Some(n) = arrivals.recv().await {
            all.push(n);
        }
        assert_eq!(all, (0..100).collect::<Vec<_>>());
    }
}
