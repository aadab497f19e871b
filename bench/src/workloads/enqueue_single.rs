//! How fast jobs are enqueued one by one: each in a commit of its own, ten in a transaction, or by an `Enqueuer`.

use anyhow::{Result, ensure};
use pgq_postgres::{Enqueue, Enqueuer, Job, Runner, Shape};
use sqlx::{Connection, PgConnection, query};

use super::no_such_side;
use crate::case::{Case, CaseResult, Flags as CaseFlags};
use crate::database::Database;
use crate::harness::Harness;
use crate::job::{Noop, PAYLOAD_BYTES};
use crate::measure::{Outcome, left};
use crate::ours::{Running, asleep};
use crate::produce::{Produce, measured};
use crate::side::Which;

pub(crate) const NAME: &str = "enqueue-single";
pub(crate) const ABOUT: &str = "Producers enqueue jobs of 64 bytes, each call waiting for its commit, with the server's \
    synchronous_commit. The latency is that of a call with its commit. With runners asleep, two runners in the same \
    process wait for the jobs and run them. With an Enqueuer, calls that come at the same time share commits. Floor: a \
    bare INSERT of the same row by as many sessions, with no runner.";

/// How many jobs a measurement enqueues.
const JOBS: u64 = 10_000;

/// Producers, runners asleep, and jobs a transaction.
const CASES: [(u64, u64, u64); 7] =
    [(8, 0, 1), (1, 0, 1), (64, 0, 1), (1, 2, 1), (8, 2, 1), (64, 2, 1), (8, 0, 10)];

/// Producers that share commits by an `Enqueuer`.
const TOGETHER: [u64; 2] = [8, 64];

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
    /// All producers through one `Enqueuer`.
    #[arg(long, default_value_t = false, action = clap::ArgAction::Set)]
    together: bool,
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
            (0, 1) if results.is_empty() => Case::new(NAME, name, flags)?.with_peers(),
            (0, 1) => Case::new(NAME, name, flags)?,
            (0, many) => {
                Case::new(NAME, format!("{name}, {many} a transaction"), flags.with("per-transaction", many))?
            }
            (asleep, _) => {
                Case::new(NAME, format!("{name}, runners asleep"), flags.with("sleeping", asleep))?
            }
        };
        results.push(harness.run(case).await?);
    }
    for producers in TOGETHER {
        let flags =
            CaseFlags::default().with("producers", producers).with("jobs", jobs).with("together", true);
        let case = Case::new(NAME, format!("{producers} producers, one Enqueuer"), flags)?;
        results.push(harness.run(case).await?);
    }
    Ok(results)
}

pub(crate) async fn side(side: Which, flags: &Flags, database: &Database) -> Result<Outcome> {
    database.prepare().await?;
    let job = Noop::of(PAYLOAD_BYTES)?;
    match side {
        Which::Ours if flags.together => together(flags, database, job).await,
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

/// Its producers have no sessions; the pool has as many as the enqueuer takes.
async fn together(flags: &Flags, database: &Database, job: Noop) -> Result<Outcome> {
    let enqueuer = Enqueuer::new(&database.pool(2));
    // Opens a session, and prepares its statement.
    enqueuer.enqueue(job.clone()).await?;
    let producers = (0..flags.producers).map(|_| enqueuer.clone()).collect();
    let outcome = measured(producers, (flags.jobs, flags.jobs), Together(job)).await?;
    all_there(database, flags.jobs + 1).await?;
    Ok(outcome)
}

async fn measure<P: Produce<To = PgConnection>>(
    flags: &Flags,
    database: &Database,
    produce: P,
) -> Result<Outcome> {
    let sessions = database.connect_many(flags.producers).await?;
    measured(sessions, (flags.jobs, flags.jobs / flags.per_transaction), produce).await
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
    type To = PgConnection;

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
struct Together(Noop);

impl Produce for Together {
    type To = Enqueuer;

    async fn produce(&self, to: &mut Enqueuer, _: u64) -> Result<()> {
        to.enqueue(self.0.clone()).await?;
        Ok(())
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
    type To = PgConnection;

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
