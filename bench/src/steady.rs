//! The workload `steady`: jobs that come one by one at an even rate, and take a while each.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pgq_devdb::Database;
use pgq_postgres::Enqueue;
use serde_json::json;
use sqlx::Connection;
use tokio::time::{MissedTickBehavior, interval};

use crate::database::filled;
use crate::latency::{Latencies, Timed, TimedRunner};
use crate::{database, server};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Jobs enqueued in a second, each in a commit of its own.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    rate: u64,
    /// For how long, in seconds.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// How long each handler takes, in microseconds.
    #[arg(long, default_value_t = 5000)]
    handler_micros: u64,
    /// How many producers enqueue.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=64))]
    producers: u64,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    let settings = server::settings().await?;
    let database = filled(&database::template().await?, 0).await?;
    let result = measure(&database, arguments).await;
    database.remove().await?;
    let (latencies, rate) = result?;
    if arguments.json {
        let mut line = latencies.json();
        let fields = json!({
            "workload": "steady", "jobs_per_s": rate.round(), "asked_jobs_per_s": arguments.rate,
            "handler_micros": arguments.handler_micros, "producers": arguments.producers,
            "seconds": arguments.seconds, "settings": settings,
        });
        line.as_object_mut()
            .into_iter()
            .for_each(|line| line.extend(fields.as_object().cloned().unwrap_or_default()));
        println!("{line}");
    } else {
        println!("steady: from the return of enqueue, its commit done, to the handler's first line\n");
        println!("{latencies}   at {rate:.0} jobs/s, handlers of {} us", arguments.handler_micros);
    }
    Ok(())
}

/// The latencies, and the rate at which jobs really came.
async fn measure(database: &Database, arguments: &Arguments) -> Result<(Latencies, f64)> {
    let mut runner = TimedRunner::start(&database.pool());
    let jobs = usize::try_from(arguments.rate * arguments.seconds / arguments.producers)?;
    let started = Instant::now();
    let mut producers = Vec::new();
    for producer in 0..usize::try_from(arguments.producers)? {
        let pace = Duration::from_secs_f64(arguments.producers as f64 / arguments.rate as f64);
        let connection = database.connect().await?;
        let first = producer * jobs;
        producers.push(tokio::spawn(produce(
            connection,
            first..first + jobs,
            pace,
            arguments.handler_micros,
        )));
    }
    let mut committed = Vec::with_capacity(jobs * producers.len());
    for producer in producers {
        committed.extend(producer.await??);
    }
    let seconds = started.elapsed().as_secs_f64();
    let mut began: Vec<Option<Instant>> = vec![None; committed.len()];
    for _ in 0..committed.len() {
        let (n, at) = runner.starts.recv().await.context("the runner ended")?;
        ensure!(began[n].replace(at).is_none(), "job {n} ran twice");
    }
    runner.stop().await?;
    let latencies = committed.iter().zip(began);
    let latencies =
        latencies.filter_map(|(committed, began)| Some(began?.saturating_duration_since(*committed)));
    Ok((Latencies::of(latencies.collect()), committed.len() as f64 / seconds))
}

/// Enqueues these jobs at that pace; the times at which their commits were done.
async fn produce(
    mut connection: sqlx::PgConnection,
    jobs: std::ops::Range<usize>,
    pace: Duration,
    micros: u64,
) -> Result<Vec<Instant>> {
    let mut ticks = interval(pace);
    // What came late does not make the others come later: the rate is the rate.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut committed = Vec::with_capacity(jobs.len());
    for n in jobs {
        ticks.tick().await;
        Timed { n, micros }.enqueue(&mut connection).await?;
        committed.push(Instant::now());
    }
    connection.close().await?;
    Ok(committed)
}
