//! Jobs of all lengths, priorities and queues, some of which fail.

use std::sync::Arc;

use anyhow::Result;
use pgq_postgres::Runner;

use super::no_such_side;
use crate::case::{Case, CaseResult, Compared, Flags as CaseFlags};
use crate::database::Database;
use crate::harness::Harness;
use crate::measure::Outcome;
use crate::paced::{Load, Work};
use crate::side::Which;

pub(crate) const NAME: &str = "mixed";
pub(crate) const ABOUT: &str = "Jobs come at random over 20 queues and four priorities. Handlers take 1 ms to 2 s, \
    as many of them under 45 ms as above; one in ten fails once and runs again at once. The latency is from the commit to \
    the first line of the first attempt; the rate counts until the last job is done. The runner has 200 slots. Floor: as \
    that of steady, with one queue and one priority.";

/// Jobs a second.
const RATE: u64 = 400;

/// For how long they come, in seconds.
const SECONDS: u64 = 10;

/// How many run at a time in our runner.
const SLOTS: usize = 200;

/// Lanes that jobs come over.
const QUEUES: u64 = 20;
const PRIORITIES: u64 = 4;

/// One in so many fails.
const FAILS_EVERY: u64 = 10;

/// The shortest and the longest handler, in microseconds.
const SHORTEST: f64 = 1e3;
const LONGEST: f64 = 2e6;

#[derive(clap::Args)]
pub(crate) struct Flags {
    #[arg(long)]
    rate: u64,
    #[arg(long)]
    seconds: u64,
    #[arg(long, default_value_t = 8)]
    producers: u64,
}

pub(crate) async fn run(harness: &mut Harness) -> Result<Vec<CaseResult>> {
    let options = &harness.options;
    let (rate, seconds) = (options.rate.unwrap_or(RATE), options.seconds.unwrap_or(SECONDS));
    let flags = CaseFlags::default().with("rate", rate).with("seconds", seconds);
    let flags = flags.with("producers", options.producers);
    let case = Case::new(NAME, format!("{rate}/s"), flags)?.compared(Compared::Latency);
    Ok(vec![harness.run(case).await?])
}

pub(crate) async fn side(side: Which, flags: &Flags, database: &Database) -> Result<Outcome> {
    database.prepare().await?;
    let load = Load {
        jobs: flags.rate * flags.seconds,
        rate: flags.rate,
        producers: flags.producers,
        work: Arc::new(work),
    };
    match side {
        Which::Ours => {
            let runner = Runner::empty().queues((0..QUEUES).map(queue)).slots(SLOTS);
            load.ours(database, runner).await
        }
        Which::Floor => load.floor(database).await,
        Which::Copy => no_such_side(),
    }
}

/// The n-th job: the same in every run, and without a pattern that queues or priorities would share.
fn work(n: u64) -> Work {
    let mixed = mix(n);
    let share = (mixed % 10_000) as f64 / 10_000.0;
    Work {
        micros: (SHORTEST * (LONGEST / SHORTEST).powf(share)) as u64,
        fails: (mixed >> 16).is_multiple_of(FAILS_EVERY),
        queue: Some(queue((mixed >> 32) % QUEUES)),
        priority: i16::try_from((mixed >> 48) % PRIORITIES).unwrap_or(0),
    }
}

fn queue(n: u64) -> String {
    format!("mixed_{n}")
}

/// The finisher of SplitMix64: neighbours come out far apart.
fn mix(n: u64) -> u64 {
    let mut z = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mix_is_what_it_says() {
        let all: Vec<Work> = (0..10_000).map(work).collect();
        let count = |test: &dyn Fn(&Work) -> bool| all.iter().filter(|work| test(work)).count();
        assert!((900..1100).contains(&count(&|work| work.fails)));
        assert!((4800..5200).contains(&count(&|work| work.micros < 44_700)));
        assert!(all.iter().all(|work| (1000..=2_000_000).contains(&work.micros)));
        for n in 0..QUEUES {
            assert!((400..600).contains(&count(&|work| work.queue == Some(queue(n)))));
        }
        for n in 0..4 {
            assert!((2300..2700).contains(&count(&|work| work.priority == n)));
        }
    }
}
