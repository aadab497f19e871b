//! One database, and one, four or sixteen runner processes.

use anyhow::{Context, Result};
use pgq_postgres::{Admin, Job, Runner};
use serde_json::json;

use super::no_such_side;
use crate::case::{Case, CaseResult, Flags as CaseFlags};
use crate::child::{Child, Program};
use crate::database::Database;
use crate::floor::{self, Settle};
use crate::gate;
use crate::harness::Harness;
use crate::job::{Noop, PAYLOAD_BYTES};
use crate::measure::{Meter, Outcome, outcome};
use crate::ours::{Running, asleep};
use crate::side::Which;

pub(crate) const NAME: &str = "many";
pub(crate) const ABOUT: &str = "As drain, by several runner processes at once, all with default settings, which are \
    connected and wait when their queue is resumed. The rate is counted in SQL; the shares of the runners are by their own \
    word: that of the one that ran least and of the one that ran most, where 1 is an even share. Floor: the bare claim and \
    settle in as many sessions, but at least two.";

/// How many jobs a measurement drains.
const JOBS: u64 = 2_000_000;

/// How many processes; the first count stands for the workload.
const COUNTS: [u64; 3] = [4, 1, 16];

#[derive(clap::Args)]
pub(crate) struct Flags {
    #[arg(long)]
    jobs: u64,
    #[arg(long)]
    runners: u64,
}

/// The counts are compared with each other, so each round measures all of them.
pub(crate) async fn run(harness: &mut Harness) -> Result<Vec<CaseResult>> {
    let jobs = harness.options.jobs.unwrap_or(JOBS);
    let rounds = std::mem::replace(&mut harness.options.rounds, 1);
    let mut results: Vec<CaseResult> = Vec::new();
    for round in 0..rounds {
        for (n, runners) in COUNTS.into_iter().enumerate() {
            let flags = CaseFlags::default().with("jobs", jobs).with("runners", runners);
            let result = harness.run(Case::new(NAME, format!("{runners} processes"), flags)?).await?;
            if round == 0 {
                results.push(result);
            } else {
                results[n].add_rounds(result);
            }
        }
    }
    harness.options.rounds = rounds;
    Ok(results)
}

/// Prints its outcome itself: the processes have to live until it was taken.
pub(crate) async fn side(side: Which, flags: &Flags, database: &Database) -> Result<()> {
    let job = Noop::of(PAYLOAD_BYTES)?;
    database.fill((0..flags.jobs).map(|_| job.clone())).await?;
    match side {
        Which::Ours => ours(flags, database).await,
        Which::Floor => {
            let loops = (flags.runners.max(floor::CLAIMERS), floor::BATCH);
            let outcome = floor::drain(database, Noop::QUEUE, flags.jobs, loops, Settle::Complete).await?;
            gate::close(&outcome.into()).await
        }
        Which::Copy => no_such_side().map(drop),
    }
}

async fn ours(flags: &Flags, database: &Database) -> Result<()> {
    let url = std::env::var("DATABASE_URL")?;
    let mut runners = Vec::new();
    for _ in 0..flags.runners {
        let mut runner = Child::spawn(&Program::side("ours")?, &["runner".into()], &url)?;
        runner.ready().await?;
        runners.push(runner);
    }
    // How long connecting takes is no matter of their number: the clock starts when all have, and wait.
    let admin = Admin::new(&database.pool(1));
    admin.pause(Noop::QUEUE).await?;
    for runner in &mut runners {
        runner.go().await?;
    }
    asleep(database, flags.runners).await?;
    let mut meter = Meter::start(database, flags.jobs).await?;
    admin.resume(Noop::QUEUE).await?;
    let time = meter.finish(|| Ok(true)).await?;
    meter.close().await?;
    let mut shares = Vec::new();
    for runner in &mut runners {
        runner.go().await?;
        let completed = runner.outcome().await?["jobs"].as_u64().context("a runner has no count")?;
        shares.push(completed as f64 * flags.runners as f64 / flags.jobs as f64);
    }
    let mut outcome = outcome(flags.jobs, time);
    outcome.insert("smallest_share".into(), json!(shares.iter().copied().reduce(f64::min)));
    outcome.insert("largest_share".into(), json!(shares.iter().copied().reduce(f64::max)));
    gate::close(&outcome.into()).await?;
    for runner in runners {
        runner.end().await?;
    }
    Ok(())
}

/// One of the processes: runs until it is asked how much that was.
pub(crate) async fn runner(database: &Database) -> Result<Outcome> {
    gate::open().await?;
    let running = Running::start(Runner::empty().register::<Noop>().pool(database.pool(10)));
    gate::wait().await?;
    let completed = running.handle().counts().completed;
    running.stop().await?;
    Ok(Outcome::from_iter([("jobs".into(), json!(completed))]))
}
