//! When jobs come, as for ours: at random, in the same moments for all.

use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

const SEED: u64 = 1;

/// Tells of each job, by its number, when it comes: so many a second on average. From a thread, which sleeps more finely than
/// the runtime's timer does. Late ones do not make the others later.
pub(crate) fn arrivals(jobs: u64, rate: u64) -> UnboundedReceiver<u64> {
    let (come, arrivals) = unbounded_channel();
    thread::spawn(move || at_random(jobs, rate, &come));
    arrivals
}

fn at_random(jobs: u64, rate: u64, come: &UnboundedSender<u64>) {
    let mut random = fastrand::Rng::with_seed(SEED);
    let mut next = Instant::now();
    for n in 0..jobs {
        next += Duration::from_secs_f64(-(1.0 - random.f64()).ln() / rate as f64);
        thread::sleep(next.saturating_duration_since(Instant::now()));
        if come.send(n).is_err() {
            // The producers have failed, and say why.
            return;
        }
    }
}
