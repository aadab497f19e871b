//! How fast very many jobs are enqueued in one transaction.

use std::time::Instant;

use anyhow::{Result, ensure};
use pgq_postgres::{Job, Shape, encode, enqueue_all};
use sqlx::{Connection, PgConnection, query};

use crate::case::{Case, CaseResult, Flags as CaseFlags, Side};
use crate::database::Database;
use crate::gate;
use crate::harness::Harness;
use crate::job::{Noop, PAYLOAD_BYTES};
use crate::measure::{Outcome, left, outcome};
use crate::side::Which;

pub(crate) const NAME: &str = "enqueue-bulk";
pub(crate) const ABOUT: &str = "enqueue_all takes jobs of 64 bytes from an iterator into one transaction, until its \
    commit has returned. Floor: bare INSERTs from arrays of 5,000 jobs in one transaction. Copy: one bare binary COPY of \
    bytes that were made before the clock started, ids included.";

/// How many jobs a measurement enqueues.
const JOBS: u64 = 1_000_000;

/// How many jobs `enqueue_all` sends at a time, and so how many a bare INSERT has.
const CHUNK_JOBS: u64 = 5_000;

#[derive(clap::Args)]
pub(crate) struct Flags {
    #[arg(long)]
    jobs: u64,
}

pub(crate) async fn run(harness: &mut Harness) -> Result<Vec<CaseResult>> {
    let jobs = harness.options.jobs.unwrap_or(JOBS);
    let case = Case::new(NAME, format!("{jobs} jobs"), CaseFlags::default().with("jobs", jobs))?;
    Ok(vec![harness.run(case.side(Side::of("copy")?).with_peers()).await?])
}

pub(crate) async fn side(side: Which, flags: &Flags, database: &Database) -> Result<Outcome> {
    database.prepare().await?;
    let job = Noop::of(PAYLOAD_BYTES)?;
    let body = encode(&job)?;
    let copied = if side == Which::Copy { copy_bytes(flags.jobs, &body)? } else { Vec::new() };
    let mut connection = database.connect().await?;
    gate::open().await?;
    let begin = Instant::now();
    match side {
        Which::Ours => drop(enqueue_all(&mut connection, (0..flags.jobs).map(|_| job.clone())).await?),
        Which::Floor => insert(&mut connection, flags.jobs, &body).await?,
        Which::Copy => copy(&mut connection, &copied).await?,
    }
    let time = begin.elapsed();
    let found = left(&mut connection).await?;
    ensure!(found == flags.jobs, "{found} jobs are there instead of {}", flags.jobs);
    connection.close().await?;
    Ok(outcome(flags.jobs, time))
}

async fn insert(connection: &mut PgConnection, jobs: u64, body: &[u8]) -> Result<()> {
    let mut tx = connection.begin().await?;
    for first in (0..jobs).step_by(usize::try_from(CHUNK_JOBS)?) {
        let bodies = vec![body; usize::try_from(CHUNK_JOBS.min(jobs - first))?];
        let chunk = query(include_str!("../sql/floor_enqueue_many.sql")).bind(Noop::QUEUE).bind(Noop::KIND);
        let chunk = chunk.bind(Noop::PRIORITY).bind(Noop::VERSION).bind(Noop::SHAPE).bind(Noop::MAX_ATTEMPTS);
        chunk.bind(bodies).execute(&mut *tx).await?;
    }
    Ok(tx.commit().await?)
}

async fn copy(connection: &mut PgConnection, bytes: &[u8]) -> Result<()> {
    let mut copy = connection.copy_in_raw(include_str!("../sql/floor_copy.sql")).await?;
    copy.send(bytes).await?;
    copy.finish().await?;
    Ok(())
}

/// All rows in the binary format of `COPY`.
fn copy_bytes(jobs: u64, body: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    for id in 1..=jobs {
        bytes.extend_from_slice(&8_i16.to_be_bytes());
        for value in [
            &i64::try_from(id)?.to_be_bytes()[..],
            &Noop::SHAPE.to_be_bytes(),
            &Noop::PRIORITY.to_be_bytes(),
            &Noop::VERSION.to_be_bytes(),
            &Noop::MAX_ATTEMPTS.to_be_bytes(),
            Noop::QUEUE.as_bytes(),
            Noop::KIND.as_bytes(),
            body,
        ] {
            bytes.extend_from_slice(&i32::try_from(value.len())?.to_be_bytes());
            bytes.extend_from_slice(value);
        }
    }
    bytes.extend_from_slice(&(-1_i16).to_be_bytes());
    Ok(bytes)
}
