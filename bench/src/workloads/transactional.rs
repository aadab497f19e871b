//! Handlers that write a row and complete their job in the same transaction.

use anyhow::{Result, ensure};
use pgq_postgres::{Context, DatabaseContext, Job, JobResult, Perform, Runner};
use sqlx::{Connection, PgConnection, query, query_scalar, raw_sql};

use super::no_such_side;
use crate::case::{Case, CaseResult, Flags as CaseFlags};
use crate::database::Database;
use crate::harness::Harness;
use crate::measure::{Meter, Outcome, outcome};
use crate::ours;
use crate::side::Which;

pub(crate) const NAME: &str = "transactional";
pub(crate) const ABOUT: &str = "Each handler writes a row and completes its job in the same transaction, which waits for \
    the disk; 20 run at a time. Floor: 20 sessions that each take one job, write its row and commit, in one transaction \
    with the row of the job locked meanwhile and no lease.";

/// How many jobs a measurement runs.
const JOBS: u64 = 10_000;

/// How many run at a time.
const SESSIONS: u32 = 20;

#[derive(clap::Args)]
pub(crate) struct Flags {
    #[arg(long)]
    jobs: u64,
}

/// Writes its number.
#[derive(Job)]
#[job(transactional)]
struct Effect {
    n: i64,
}

impl Perform for Effect {
    async fn perform(&self, ctx: &Context) -> JobResult {
        let mut tx = ctx.begin().await?;
        write(&mut tx, self.n).await?;
        Ok(ctx.complete_in(tx).await?)
    }
}

pub(crate) async fn run(harness: &mut Harness) -> Result<Vec<CaseResult>> {
    let jobs = harness.options.jobs.unwrap_or(JOBS);
    let case = Case::new(NAME, format!("{jobs} jobs"), CaseFlags::default().with("jobs", jobs))?;
    Ok(vec![harness.run(case).await?])
}

pub(crate) async fn side(side: Which, flags: &Flags, database: &Database) -> Result<Outcome> {
    let jobs = i64::try_from(flags.jobs)?;
    database.fill((0..jobs).map(|n| Effect { n })).await?;
    let mut connection = database.connect().await?;
    raw_sql(include_str!("../sql/effects.sql")).execute(&mut connection).await?;
    let outcome = match side {
        Which::Ours => {
            let runner = Runner::empty().register::<Effect>().pool(database.pool(SESSIONS));
            ours::drain(database, runner, flags.jobs).await?
        }
        Which::Floor => floor(flags, database).await?,
        Which::Copy => return no_such_side(),
    };
    let effects: i64 =
        query_scalar(include_str!("../sql/count_effects.sql")).fetch_one(&mut connection).await?;
    ensure!(effects == jobs, "there are {effects} effects of {jobs} jobs");
    connection.close().await?;
    Ok(outcome)
}

async fn floor(flags: &Flags, database: &Database) -> Result<Outcome> {
    let mut meter = Meter::start(database, flags.jobs).await?;
    let loops: Vec<_> = (0..SESSIONS).map(|_| tokio::spawn(take_all(database.clone()))).collect();
    for one in loops {
        one.await??;
    }
    let time = meter.finish(|| Ok(true)).await?;
    meter.close().await?;
    Ok(outcome(flags.jobs, time))
}

async fn take_all(database: Database) -> Result<()> {
    let mut connection = database.connect().await?;
    loop {
        let mut tx = connection.begin().await?;
        let take = query_scalar(include_str!("../sql/floor_take.sql")).bind(Effect::QUEUE);
        let Some(id): Option<i64> = take.fetch_optional(&mut *tx).await? else { break };
        write(&mut tx, id).await?;
        tx.commit().await?;
    }
    Ok(connection.close().await?)
}

async fn write(tx: &mut PgConnection, n: i64) -> Result<(), sqlx::Error> {
    query(include_str!("../sql/write_effect.sql")).bind(n).execute(tx).await?;
    Ok(())
}
