//! The workload `drain`: how fast many ready jobs that do nothing are claimed, run and settled.

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use pgq_devdb::Template;

use crate::database::{filled, template};
use crate::measure::Measured;
use crate::report::Report;
use crate::{floor, ours, server};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many jobs a measurement drains.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(i64).range(1..))]
    jobs: i64,
    /// How often both sides are measured, in turns.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// How many jobs a claim of the bare SQL takes; as many as the runner's took on average unless given.
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..))]
    batch: Option<i64>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: &Arguments) -> Result<()> {
    // It may start a server, which takes a while; nothing else runs yet.
    let settings = server::settings().await?;
    let template = template().await?;
    let bar = ProgressBar::new(u64::from(arguments.rounds) * 2)
        .with_style(ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg}, {eta} left")?);
    let mut report = Report { jobs: arguments.jobs, settings, ..Report::default() };
    for _ in 0..arguments.rounds {
        bar.set_message("ours");
        let ours = measure_ours(&template, arguments.jobs).await?;
        bar.inc(1);
        bar.set_message("floor");
        let batch = arguments.batch.unwrap_or(ours.batch);
        report.floor.push(measure_floor(&template, arguments.jobs, batch).await?);
        bar.inc(1);
        report.ours.push(ours.measured);
        report.batches.push(ours.batch);
        report.floor_batches.push(batch);
        report.slots = ours.slots;
    }
    bar.finish_and_clear();
    if arguments.json {
        println!("{}", report.json())
    } else {
        report.print()
    }
    Ok(())
}

async fn measure_ours(template: &Template, jobs: i64) -> Result<ours::Ours> {
    let database = filled(template, jobs).await?;
    let result = ours::drain(&database, jobs).await;
    database.remove().await?;
    result
}

async fn measure_floor(template: &Template, jobs: i64, batch: i64) -> Result<Measured> {
    let database = filled(template, jobs).await?;
    let result = floor::drain(&database, jobs, batch).await;
    database.remove().await?;
    result
}
