//! The workload `pickup`: how soon an idle runner begins a job, beside a bare notification.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use pgq_devdb::Database;
use pgq_postgres::Enqueue;
use serde_json::json;
use sqlx::postgres::PgListener;
use sqlx::{Connection, PgConnection, query};
use tokio::time::sleep;

use crate::database::filled;
use crate::latency::{Latencies, Timed, TimedRunner};
use crate::{database, server};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many jobs are enqueued, one by one.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    jobs: u64,
    /// How long the runner is idle before each, in milliseconds.
    #[arg(long, default_value_t = 10)]
    gap_ms: u64,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    let settings = server::settings().await?;
    let database = filled(&database::template().await?, 0).await?;
    let (jobs, gap) = (usize::try_from(arguments.jobs)?, Duration::from_millis(arguments.gap_ms));
    // In turns of a hundred, so that both meet the same weather.
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    while ours.len() < jobs {
        let turn = (jobs - ours.len()).min(100);
        ours.extend(pick_ups(&database, turn, gap).await?);
        floor.extend(notifications(&database, turn, gap).await?);
    }
    database.remove().await?;
    let (ours, floor) = (Latencies::of(ours), Latencies::of(floor));
    if arguments.json {
        let mut line = ours.json();
        let fields = json!({
            "workload": "pickup", "jobs": jobs, "gap_ms": arguments.gap_ms, "floor": floor.json(),
            "ratio": (ours.percentile(0.5) / floor.percentile(0.5) * 1000.0).round() / 1000.0, "settings": settings,
        });
        line.as_object_mut()
            .into_iter()
            .for_each(|line| line.extend(fields.as_object().cloned().unwrap_or_default()));
        println!("{line}");
    } else {
        println!("pickup: from the return of enqueue, its commit done, to the handler's first line\n");
        println!("ours   {ours}");
        println!("floor  {floor}   (a bare NOTIFY, from its commit's return to the listener)");
    }
    Ok(())
}

async fn pick_ups(database: &Database, jobs: usize, gap: Duration) -> Result<Vec<Duration>> {
    let pool = database.pool();
    let mut runner = TimedRunner::start(&pool);
    let mut connection = database.connect().await?;
    let mut latencies = Vec::with_capacity(jobs);
    // The first ones only warm up: statements are prepared, the average of handlers' times is made.
    for n in 0..jobs + 10 {
        sleep(gap).await;
        Timed { n, micros: 0 }.enqueue(&mut connection).await?;
        let committed = Instant::now();
        let (_, began) = runner.starts.recv().await.context("the runner ended")?;
        if n >= 10 {
            // A handler may begin before its producer has read the reply to the commit.
            latencies.push(began.saturating_duration_since(committed));
        }
    }
    runner.stop().await?;
    connection.close().await?;
    Ok(latencies)
}

async fn notifications(database: &Database, times: usize, gap: Duration) -> Result<Vec<Duration>> {
    let mut connection: PgConnection = database.connect().await?;
    let mut listener = PgListener::connect_with(&database.pool()).await?;
    listener.listen("bench").await?;
    let receiving = tokio::spawn(async move {
        let mut received = Vec::with_capacity(times);
        while received.len() < times {
            listener.recv().await?;
            received.push(Instant::now());
        }
        Ok::<_, sqlx::Error>(received)
    });
    let mut sent = Vec::with_capacity(times);
    for _ in 0..times {
        sleep(gap).await;
        query(include_str!("sql/notify.sql")).execute(&mut connection).await?;
        sent.push(Instant::now());
    }
    let received = receiving.await??;
    connection.close().await?;
    Ok(received.iter().zip(&sent).map(|(received, sent)| received.saturating_duration_since(*sent)).collect())
}
