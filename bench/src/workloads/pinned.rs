//! What becomes of claims while somebody holds an old snapshot: deleted rows cannot be cleaned away meanwhile.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, ensure};
use pgq_postgres::Runner;
use serde_json::json;
use sqlx::{Connection, PgConnection, raw_sql};

use super::no_such_side;
use crate::case::{Case, CaseResult, Compared, Flags as CaseFlags, Side};
use crate::database::Database;
use crate::floor;
use crate::harness::Harness;
use crate::latency::Latencies;
use crate::measure::Outcome;
use crate::paced::{Load, Work};
use crate::sampler::{Sampler, Seen};
use crate::side::Which;

pub(crate) const NAME: &str = "pinned";
pub(crate) const ABOUT: &str = "As steady, with handlers that do nothing, while a session holds a snapshot from before \
    the first job. The times of claims are those that the server tells in pg_stat_activity, looked at every 5 ms: from \
    the last start of a claim to its end, for sessions that are between two statements and whose last one was a claim. \
    So they are a sample of all claims. Unpinned: the same runner without the old snapshot. Floor: as that of steady, \
    with the old snapshot.";

/// Jobs a second.
const RATE: u64 = 4000;

/// For how long, in seconds.
const SECONDS: u64 = 900;

/// How many points the chart has, and the parts of the run of which the first and the last are compared.
const POINTS: usize = 60;
const PARTS: usize = 10;

/// Our claim, by its first words.
const CLAIM: &str = include_str!("../../../pgq-postgres/src/sql/claim.sql");

#[derive(clap::Args)]
#[command(args_override_self = true)]
pub(crate) struct Flags {
    #[arg(long)]
    rate: u64,
    #[arg(long)]
    seconds: u64,
    #[arg(long, default_value_t = 8)]
    producers: u64,
    #[arg(long, action = clap::ArgAction::Set)]
    pinned: bool,
}

pub(crate) async fn run(harness: &mut Harness) -> Result<Vec<CaseResult>> {
    let options = &harness.options;
    let (rate, seconds) = (options.rate.unwrap_or(RATE), options.seconds.unwrap_or(SECONDS));
    let flags = CaseFlags::default().with("rate", rate).with("seconds", seconds);
    let flags = flags.with("producers", options.producers).with("pinned", true);
    let unpinned = Side::of("ours")?.named("unpinned").flags(CaseFlags::default().with("pinned", false));
    let case = Case::new(NAME, format!("{rate}/s for {seconds} s"), flags)?.side(unpinned);
    Ok(vec![harness.run(case.compared(Compared::Latency)).await?])
}

pub(crate) async fn side(side: Which, flags: &Flags, database: &Database) -> Result<Outcome> {
    database.prepare().await?;
    let mut holder = database.connect().await?;
    if flags.pinned {
        raw_sql(include_str!("../sql/pin.sql")).execute(&mut holder).await?;
    }
    let load = Load {
        jobs: flags.rate * flags.seconds,
        rate: flags.rate,
        producers: flags.producers,
        work: Arc::new(|_| Work::of(0)),
    };
    let words = if side == Which::Floor { floor::FIRST_WORDS } else { CLAIM };
    let sampler = Sampler::start(database, words).await?;
    let mut outcome = match side {
        Which::Ours => load.ours(database, Runner::empty()).await?,
        Which::Floor => load.floor(database).await?,
        Which::Copy => return no_such_side(),
    };
    let seen = sampler.stop().await?;
    ensure!(!seen.is_empty(), "no claim was seen");
    if flags.pinned {
        release(holder).await?;
    }
    outcome.extend(told(&seen));
    Ok(outcome)
}

async fn release(mut holder: PgConnection) -> Result<()> {
    raw_sql(include_str!("../sql/unpin.sql")).execute(&mut holder).await?;
    Ok(holder.close().await?)
}

/// The claims of the whole run, of its first and last tenth, and over time.
fn told(seen: &[Seen]) -> Outcome {
    let p99 = |seen: &[&Seen]| percentile(seen, 0.99);
    let all: Vec<&Seen> = seen.iter().collect();
    let mut outcome = Outcome::from_iter([
        ("claims_seen".into(), json!(seen.len())),
        ("claim_p50_ms".into(), json!(percentile(&all, 0.5))),
        ("claim_p99_ms".into(), json!(p99(&all))),
    ]);
    let tenths = split(seen, PARTS);
    for (name, tenth) in [("first", tenths.first()), ("last", tenths.last())] {
        outcome.insert(format!("claim_p99_ms_{name}_tenth"), json!(tenth.and_then(|tenth| p99(tenth))));
    }
    let points = split(seen, POINTS).into_iter();
    let points = points.filter_map(|part| Some(json!([part.first()?.at.as_secs_f64(), p99(&part)?])));
    outcome.insert("series".into(), points.collect());
    outcome
}

/// The run in so many parts of the same length.
fn split(seen: &[Seen], parts: usize) -> Vec<Vec<&Seen>> {
    let longest = seen.iter().map(|seen| seen.at).max().unwrap_or_default() + Duration::from_millis(1);
    let mut all = vec![Vec::new(); parts];
    for seen in seen {
        let part = (seen.at.as_secs_f64() / longest.as_secs_f64() * parts as f64) as usize;
        all[part.min(parts - 1)].push(seen);
    }
    all
}

fn percentile(seen: &[&Seen], share: f64) -> Option<f64> {
    Latencies::of(seen.iter().map(|seen| seen.took).collect()).percentile(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_tenth_are_told_apart() {
        let seen = |n: u64| Seen { at: Duration::from_secs(n), took: Duration::from_millis(n + 1) };
        let outcome = told(&(0..100).map(seen).collect::<Vec<_>>());
        assert_eq!(outcome["claim_p99_ms_first_tenth"], 10.0);
        assert_eq!(outcome["claim_p99_ms_last_tenth"], 100.0);
        assert_eq!(outcome["series"].as_array().unwrap().len(), POINTS);
    }
}
