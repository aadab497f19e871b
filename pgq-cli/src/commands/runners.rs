use std::time::SystemTime;

use clap::Args;
use comfy_table::{Cell, Color};
use pgq_postgres::admin::{Admin, RunnerStatus};
use serde_json::Value;

use crate::failure::Failure;
use crate::output::{cell, number, say, say_json, table};
use crate::{json as tell, text};

#[derive(Debug, Args)]
pub struct Arguments {
    /// How many of the jobs of each to list.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    jobs: u32,
}

pub(crate) async fn run(admin: &Admin, arguments: &Arguments, json: bool) -> Result<(), Failure> {
    let runners = admin.runners(arguments.jobs as usize).await?;
    if json {
        return say_json(&Value::Array(runners.iter().map(tell::runner).collect()));
    }
    if runners.is_empty() {
        return say("no runner lives");
    }
    let now = admin.now().await?;
    let header = ["RUNNER", "STARTED", "HEARTBEAT", "PGQ", "IN HAND", "QUEUES"];
    say(&table(&header, runners.iter().map(|runner| row(runner, now)).collect()))?;
    let jobs: Vec<_> = runners.iter().flat_map(in_hand).collect();
    if jobs.is_empty() {
        return Ok(());
    }
    say("")?;
    say(&table(&["JOB", "KIND", "QUEUE", "ATTEMPT", "SINCE", "RUNNER"], jobs))
}

fn row(runner: &RunnerStatus, now: SystemTime) -> Vec<Cell> {
    let heartbeat = format!("{} ago", text::duration(runner.silent));
    vec![
        cell(&runner.name),
        cell(text::relative(runner.started_at, now)),
        if runner.alive { cell(heartbeat) } else { cell(format!("{heartbeat}: dead")).fg(Color::Red) },
        cell(&runner.library),
        cell(format!("{}/{}", runner.in_hand, runner.slots)),
        cell(text::line(&runner.queues.join(", "), 60)),
    ]
}

fn in_hand(runner: &RunnerStatus) -> impl Iterator<Item = Vec<Cell>> {
    runner.jobs.iter().map(|job| {
        vec![
            number(job.id.0),
            cell(&job.kind),
            cell(&job.queue),
            number(job.attempt),
            cell(text::duration(job.since)),
            cell(&runner.name),
        ]
    })
}
