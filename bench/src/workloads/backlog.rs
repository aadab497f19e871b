//! How fast ready jobs are run beside very many that are scheduled or have finished.

use anyhow::Result;
use pgq_postgres::{Job, Runner, Shape, encode};
use sqlx::{Connection, PgConnection, query, query_scalar};

use super::no_such_side;
use crate::case::{Case, CaseResult, Databases, Flags as CaseFlags, Side};
use crate::database::Database;
use crate::floor::{self, Settle};
use crate::harness::Harness;
use crate::job::{Noop, PAYLOAD_BYTES};
use crate::measure::Outcome;
use crate::ours;
use crate::side::Which;

pub(crate) const NAME: &str = "backlog";
pub(crate) const ABOUT: &str = "As drain, beside jobs of the same queue that are scheduled for the next month or have \
    finished, in one database for all rounds. Empty: the same runner without them. Floor: the bare claim and settle \
    without them.";

/// How many jobs a measurement drains.
const JOBS: u64 = 100_000;

/// Parts of the whole backlog that are measured; the first stands for the workload.
const PARTS: [u64; 3] = [1, 10, 100];

/// How many rows of a backlog one statement makes.
const FILL_ROWS: u64 = 1_000_000;

#[derive(clap::Args)]
#[command(args_override_self = true)]
pub(crate) struct Flags {
    #[arg(long)]
    jobs: u64,
    #[arg(long)]
    scheduled: u64,
    #[arg(long)]
    finished: u64,
}

pub(crate) async fn run(harness: &mut Harness) -> Result<Vec<CaseResult>> {
    let options = harness.options.clone();
    let jobs = options.jobs.unwrap_or(JOBS);
    let mut results = Vec::new();
    for part in PARTS {
        let (scheduled, finished) = (options.scheduled / part, options.finished / part);
        let flags =
            CaseFlags::default().with("jobs", jobs).with("scheduled", scheduled).with("finished", finished);
        let nothing = || CaseFlags::default().with("scheduled", 0).with("finished", 0);
        let mut case = Case::new(NAME, format!("{scheduled} scheduled, {finished} finished"), flags)?;
        case.databases = Databases::OnePerSide;
        case.sides[1].flags = nothing();
        results.push(harness.run(case.side(Side::of("ours")?.named("empty").flags(nothing()))).await?);
    }
    Ok(results)
}

pub(crate) async fn side(side: Which, flags: &Flags, database: &Database) -> Result<Outcome> {
    database.prepare().await?;
    let mut connection = database.connect().await?;
    fill(&mut connection, flags).await?;
    connection.close().await?;
    let job = Noop::of(PAYLOAD_BYTES)?;
    database.fill((0..flags.jobs).map(|_| job.clone())).await?;
    match side {
        Which::Ours => {
            let runner = Runner::empty().register::<Noop>().pool(database.pool(10));
            ours::drain(database, runner, flags.jobs).await
        }
        Which::Floor => {
            let loops = (floor::CLAIMERS, floor::BATCH);
            floor::drain(database, Noop::QUEUE, flags.jobs, loops, Settle::Complete).await
        }
        Which::Copy => no_such_side(),
    }
}

/// Makes the backlog, unless a round before this one has.
async fn fill(connection: &mut PgConnection, flags: &Flags) -> Result<()> {
    let is_there: bool =
        query_scalar(include_str!("../sql/has_backlog.sql")).fetch_one(&mut *connection).await?;
    if is_there {
        return Ok(());
    }
    let body = encode(&Noop::of(PAYLOAD_BYTES)?)?;
    for (rows, statement) in [
        (flags.scheduled, include_str!("../sql/fill_scheduled.sql")),
        (flags.finished, include_str!("../sql/fill_finished.sql")),
    ] {
        for first in (0..rows).step_by(usize::try_from(FILL_ROWS)?) {
            let count = i64::try_from(FILL_ROWS.min(rows - first))?;
            let chunk = query(statement).bind(Noop::QUEUE).bind(Noop::KIND).bind(Noop::PRIORITY);
            let chunk = chunk.bind(Noop::VERSION).bind(Noop::SHAPE).bind(Noop::MAX_ATTEMPTS).bind(&body);
            chunk.bind(count).execute(&mut *connection).await?;
        }
    }
    Ok(())
}
