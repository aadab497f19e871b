//! How fast unique jobs are enqueued, with and without conflicts.

use anyhow::{Result, ensure};
use pgq_postgres::{Enqueue, Job, Shape, Unique, UniqueKey, encode};
use sqlx::{Connection, PgConnection, query};

use super::no_such_side;
use crate::case::{Case, CaseResult, Flags as CaseFlags};
use crate::database::Database;
use crate::harness::Harness;
use crate::job::{Noop, PAYLOAD_BYTES};
use crate::measure::{Outcome, left};
use crate::produce::{Produce, measured};
use crate::side::Which;

pub(crate) const NAME: &str = "unique";
pub(crate) const ABOUT: &str = "Eight producers enqueue unique jobs of 64 bytes, each call waiting for its commit: every \
    one with a key of its own, or all of them with a hundred keys. A call that makes no job counts, too. Floor: one bare \
    statement that inserts the key and, if that was new, the row.";

/// How many calls a measurement has.
const JOBS: u64 = 10_000;

/// How many sessions enqueue.
const PRODUCERS: u64 = 8;

/// How many keys there are where they are few.
const FEW_KEYS: u64 = 100;

#[derive(clap::Args)]
pub(crate) struct Flags {
    #[arg(long)]
    jobs: u64,
    #[arg(long)]
    keys: u64,
}

pub(crate) async fn run(harness: &mut Harness) -> Result<Vec<CaseResult>> {
    let jobs = harness.options.jobs.unwrap_or(JOBS);
    let mut results = Vec::new();
    for (name, keys) in [("no conflicts", jobs), ("conflicts", FEW_KEYS.min(jobs))] {
        let flags = CaseFlags::default().with("jobs", jobs).with("keys", keys);
        results.push(harness.run(Case::new(NAME, name, flags)?).await?);
    }
    Ok(results)
}

pub(crate) async fn side(side: Which, flags: &Flags, database: &Database) -> Result<Outcome> {
    database.prepare().await?;
    let (job, keys) = (Noop::of(PAYLOAD_BYTES)?, flags.keys.max(1));
    let outcome = match side {
        Which::Ours => measure(flags, database, Ours { job, keys }).await?,
        Which::Floor => measure(flags, database, Floor { body: encode(&job)?, keys }).await?,
        Which::Copy => return no_such_side(),
    };
    let mut connection = database.connect().await?;
    let found = left(&mut connection).await?;
    ensure!(found == flags.keys.min(flags.jobs), "{found} jobs are there of {keys} keys");
    connection.close().await?;
    Ok(outcome)
}

async fn measure<P: Produce<To = PgConnection>>(
    flags: &Flags,
    database: &Database,
    produce: P,
) -> Result<Outcome> {
    let sessions = database.connect_many(PRODUCERS).await?;
    measured(sessions, (flags.jobs, flags.jobs), produce).await
}

#[derive(Clone)]
struct Ours {
    job: Noop,
    keys: u64,
}

impl Produce for Ours {
    type To = PgConnection;

    async fn produce(&self, to: &mut PgConnection, n: u64) -> Result<()> {
        let job = self.job.clone().to_enqueue();
        job.unique_by(Unique::while_unfinished(), &(n % self.keys))?.enqueue(to).await?;
        Ok(())
    }
}

#[derive(Clone)]
struct Floor {
    body: Vec<u8>,
    keys: u64,
}

impl Produce for Floor {
    type To = PgConnection;

    async fn produce(&self, to: &mut PgConnection, n: u64) -> Result<()> {
        let key = UniqueKey::of(Noop::KIND, &(n % self.keys))?;
        let job = query(include_str!("../sql/floor_enqueue_unique.sql")).bind(Noop::QUEUE).bind(Noop::KIND);
        let job = job.bind(Noop::PRIORITY).bind(Noop::VERSION).bind(Noop::SHAPE).bind(Noop::MAX_ATTEMPTS);
        job.bind(&self.body).bind(&key.as_bytes()[..]).execute(to).await?;
        Ok(())
    }
}
