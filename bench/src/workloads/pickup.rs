//! How soon an idle runner begins a job, beside a bare notification.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use pgq_postgres::{Enqueue, Runner};
use serde_json::json;
use sqlx::postgres::PgListener;
use sqlx::{Connection, query};
use tokio::time::sleep;

use super::no_such_side;
use crate::case::{Case, CaseResult, Compared, Flags as CaseFlags};
use crate::database::Database;
use crate::gate;
use crate::harness::Harness;
use crate::job::{Starts, Timed};
use crate::latency::Latencies;
use crate::measure::Outcome;
use crate::ours::Running;
use crate::side::Which;

pub(crate) const NAME: &str = "pickup";
pub(crate) const ABOUT: &str = "Single jobs for an idle runner with default settings: from the return of enqueue, its \
    commit done, to the handler's first line, in one process. Floor: a bare NOTIFY, from its commit's return to the \
    listener.";

/// How many jobs a measurement enqueues, one by one.
const JOBS: u64 = 500;

/// The first ones only warm up: statements are prepared, the average of handlers' times is made.
const WARM_UP: u64 = 10;

#[derive(clap::Args)]
pub(crate) struct Flags {
    #[arg(long)]
    jobs: u64,
    #[arg(long, default_value_t = 10)]
    gap_ms: u64,
}

pub(crate) async fn run(harness: &mut Harness) -> Result<Vec<CaseResult>> {
    let options = &harness.options;
    let (jobs, gap) = (options.jobs.unwrap_or(JOBS), options.gap_ms);
    let flags = CaseFlags::default().with("jobs", jobs).with("gap-ms", gap);
    let case = Case::new(NAME, format!("idle for {gap} ms"), flags)?.compared(Compared::Latency);
    Ok(vec![harness.run(case.with_peers()).await?])
}

pub(crate) async fn side(side: Which, flags: &Flags, database: &Database) -> Result<Outcome> {
    database.prepare().await?;
    let latencies = match side {
        Which::Ours => ours(flags, database).await?,
        Which::Floor => floor(flags, database).await?,
        Which::Copy => return no_such_side(),
    };
    let mut outcome = Outcome::from_iter([("jobs".into(), json!(flags.jobs))]);
    outcome.extend(latencies.json());
    Ok(outcome)
}

async fn ours(flags: &Flags, database: &Database) -> Result<Latencies> {
    let (starts, mut began) = Starts::new();
    let runner = Runner::empty().register::<Timed>().state(starts).pool(database.pool(10));
    let running = Running::start(runner);
    let mut connection = database.connect().await?;
    let mut latencies = Vec::new();
    for n in 0..WARM_UP + flags.jobs {
        if n == WARM_UP {
            gate::open().await?;
        }
        sleep(Duration::from_millis(flags.gap_ms)).await;
        Timed { n, micros: 0, fails: false }.enqueue(&mut connection).await?;
        let committed = Instant::now();
        let (_, at) = began.recv().await.context("the runner has ended")?;
        if n >= WARM_UP {
            // A handler may begin before its producer has read the reply to the commit.
            latencies.push(at.saturating_duration_since(committed));
        }
    }
    running.stop().await?;
    connection.close().await?;
    Ok(Latencies::of(latencies))
}

async fn floor(flags: &Flags, database: &Database) -> Result<Latencies> {
    let mut connection = database.connect().await?;
    let mut listener = PgListener::connect_with(&database.pool(1)).await?;
    listener.listen("bench").await?;
    let times = usize::try_from(flags.jobs)?;
    let receiving = tokio::spawn(async move {
        let mut received = Vec::with_capacity(times);
        while received.len() < times {
            listener.recv().await?;
            received.push(Instant::now());
        }
        Ok::<_, sqlx::Error>(received)
    });
    gate::open().await?;
    let mut sent = Vec::with_capacity(times);
    for _ in 0..times {
        sleep(Duration::from_millis(flags.gap_ms)).await;
        query(include_str!("../sql/notify.sql")).execute(&mut connection).await?;
        sent.push(Instant::now());
    }
    let received = receiving.await??;
    connection.close().await?;
    let both = received.iter().zip(&sent);
    Ok(Latencies::of(both.map(|(received, sent)| received.saturating_duration_since(*sent)).collect()))
}
