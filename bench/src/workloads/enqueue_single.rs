//! How fast jobs are enqueued one by one, each in a commit of its own or ten in a transaction.

use anyhow::{Result, ensure};
use pgq_postgres::{Enqueue, Job, Runner, Shape};
use sqlx::{Connection, PgConnection, query};

use super::no_such_side;
use crate::case::{Case, CaseResult, Flags as CaseFlags};
use crate::database::Database;
use crate::gate;
use crate::harness::Harness;
use crate::job::{Noop, PAYLOAD_BYTES};
use crate::measure::{Outcome, left, outcome};
use crate::ours::{Running, asleep};
use crate::produce::{Produce, flat_out};
use crate::side::Which;

pub(crate) const NAME: &str = "enqueue-single";
pub(crate) const ABOUT: &str = "Producers enqueue jobs of 64 bytes, each call waiting for its commit, with the server's \
    synchronous_commit. The latency is that of a call with its commit. With runners asleep, two runners in the same \
    process wait for the jobs and run them. Floor: a bare INSERT of the same row by as many sessions, with no runner.";

/// How many jobs a measurement enqueues.
const JOBS: u64 = 10_000;

/// Producers, runners asleep, and jobs a transaction.
const CASES: [(u64, u64, u64); 7] =
    [(8, 0, 1), (1, 0, 1), (64, 0, 1), (1, 2, 1), (8, 2, 1), (64, 2, 1), (8, 0, 10)];

#[derive(clap::Args)]
pub(crate) struct Flags {
    #[arg(long)]
    jobs: u64,
    #[arg(long, default_value_t = 1)]
    producers: u64,
    #[arg(long, default_value_t = 0)]
    sleeping: u64,
    #[arg(long, default_value_t = 1)]
    per_transaction: u64,
}

pub(crate) async fn run(harness: &mut Harness) -> Result<Vec<CaseResult>> {
    let jobs = harness.options.jobs.unwrap_or(JOBS);
    let mut results = Vec::new();
    for (producers, sleeping, per_transaction) in CASES {
        let flags = CaseFlags::default()
            .with("producers", producers)
            .with("jobs", jobs.next_multiple_of(per_transaction));
        let name = if producers == 1 { "1 producer".into() } else { format!("{producers} producers") };
        let case = match (sleeping, per_transaction) {
            (0, 1) => Case::new(NAME, name, flags)?.with_peers(),
            (0, many) => {
                Case::new(NAME, format!("{name}, {many} a transaction"), flags.with("per-transaction", many))?
            }
            (asleep, _) => {
                Case::new(NAME, format!("{name}, runners asleep"), flags.with("sleeping", asleep))?
            }
        };
        results.push(harness.run(case).await?);
    }
    Ok(results)
}

pub(crate) async fn side(side: Which, flags: &Flags, database: &Database) -> Result<Outcome> {
    database.prepare().await?;
    let job = Noop::of(PAYLOAD_BYTES)?;
    match side {
        Which::Ours => ours(flags, database, job).await,
        Which::Floor => {
            let floor = Floor { body: pgq_postgres::encode(&job)?, per_transaction: flags.per_transaction };
            let outcome = measure(flags, database, floor).await?;
            all_there(database, flags.jobs).await?;
            Ok(outcome)
        }
        Which::Copy => no_such_side(),
    }
}

async fn ours(flags: &Flags, database: &Database, job: Noop) -> Result<Outcome> {
    let runner = || Runner::empty().register::<Noop>().pool(database.pool(10));
    let runners: Vec<_> = (0..flags.sleeping).map(|_| Running::start(runner())).collect();
    asleep(database, flags.sleeping).await?;
    let ours = Ours { job, per_transaction: flags.per_transaction };
    let outcome = measure(flags, database, ours).await?;
    if runners.is_empty() {
        all_there(database, flags.jobs).await?;
    }
    for runner in runners {
        runner.stop().await?;
    }
    Ok(outcome)
}

async fn measure<P: Produce>(flags: &Flags, database: &Database, produce: P) -> Result<Outcome> {
    let sessions = database.connect_many(flags.producers).await?;
    gate::open().await?;
    let (time, latencies) = flat_out(sessions, flags.jobs / flags.per_transaction, produce).await?;
    let mut outcome = outcome(flags.jobs, time);
    outcome.extend(latencies.json());
    Ok(outcome)
}

/// What SQL does not count was not enqueued.
async fn all_there(database: &Database, jobs: u64) -> Result<()> {
    let mut connection = database.connect().await?;
    let found = left(&mut connection).await?;
    ensure!(found == jobs, "{found} jobs are there instead of {jobs}");
    Ok(connection.close().await?)
}

#[derive(Clone)]
struct Ours {
    job: Noop,
    per_transaction: u64,
}

impl Produce for Ours {
    async fn produce(&self, to: &mut PgConnection, _: u64) -> Result<()> {
        if self.per_transaction == 1 {
            self.job.clone().enqueue(to).await?;
            return Ok(());
        }
        let mut tx = to.begin().await?;
        for _ in 0..self.per_transaction {
            self.job.clone().enqueue(&mut *tx).await?;
        }
        Ok(tx.commit().await?)
    }
}

#[derive(Clone)]
struct Floor {
    body: Vec<u8>,
    per_transaction: u64,
}

impl Floor {
    async fn insert(&self, to: &mut PgConnection) -> Result<()> {
        let job = query(include_str!("../sql/floor_enqueue.sql")).bind(Noop::QUEUE).bind(Noop::KIND);
        let job = job.bind(Noop::PRIORITY).bind(Noop::VERSION).bind(Noop::SHAPE).bind(Noop::MAX_ATTEMPTS);
        job.bind(&self.body).execute(to).await?;
        Ok(())
    }
}

impl Produce for Floor {
    async fn produce(&self, to: &mut PgConnection, _: u64) -> Result<()> {
        if self.per_transaction == 1 {
            return self.insert(to).await;
        }
        let mut tx = to.begin().await?;
        for _ in 0..self.per_transaction {
            self.insert(&mut tx).await?;
        }
        Ok(tx.commit().await?)
    }
}
