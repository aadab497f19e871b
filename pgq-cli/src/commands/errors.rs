use std::time::{Duration, SystemTime};

use clap::Args;
use comfy_table::Cell;
use pgq_postgres::admin::{Admin, Change, ErrorGroup};
use serde_json::Value;

use crate::failure::Failure;
use crate::output::{cell, number, say, say_json, table};
use crate::select::duration;
use crate::{json as tell, text};

#[derive(Debug, Args)]
pub struct Arguments {
    /// How far back to look; of very many failures, the last 5,000.
    #[arg(long, default_value = "1d", value_name = "AGE", value_parser = duration)]
    since: Duration,
    /// How many groups at most.
    #[arg(long, short = 'n', default_value_t = 20)]
    limit: u32,
}

#[derive(Debug, Args)]
pub struct Audit {
    /// How many changes at most.
    #[arg(long, short = 'n', default_value_t = 20)]
    limit: u32,
}

pub(crate) async fn run(admin: &Admin, arguments: &Arguments, json: bool) -> Result<(), Failure> {
    let groups = admin.error_groups(arguments.since, arguments.limit as usize).await?;
    if json {
        return say_json(&Value::Array(groups.iter().map(tell::error_group).collect()));
    }
    if groups.is_empty() {
        return say(&format!("nothing failed in the last {}", text::duration(arguments.since)));
    }
    let now = admin.now().await?;
    let header = ["FAILURES", "JOBS", "LAST", "KINDS", "LAST JOB", "ERROR"];
    say(&table(&header, groups.iter().map(|group| row(group, now)).collect()))
}

fn row(group: &ErrorGroup, now: SystemTime) -> Vec<Cell> {
    vec![
        number(group.failures),
        number(group.jobs),
        cell(text::relative(group.last_at, now)),
        cell(text::line(&group.kinds.join(", "), 40)),
        number(group.last_job.0),
        cell(text::line(&group.error, 80)),
    ]
}

pub(crate) async fn audit(admin: &Admin, arguments: &Audit, json: bool) -> Result<(), Failure> {
    let changes = admin.audit(arguments.limit as usize).await?;
    if json {
        return say_json(&Value::Array(changes.iter().map(tell::change).collect()));
    }
    if changes.is_empty() {
        return say("nobody has changed anything");
    }
    say(&table(&["WHEN", "WHO", "ROLE", "ACTION", "QUEUE", "JOBS", ""], changes.iter().map(change).collect()))
}

fn change(change: &Change) -> Vec<Cell> {
    vec![
        cell(text::exact(change.at)),
        cell(change.actor.as_deref().unwrap_or_default()),
        cell(&change.role),
        cell(&change.action),
        cell(change.queue.as_deref().unwrap_or_default()),
        number(change.jobs),
        cell(change.detail.as_ref().map(|detail| text::line(&detail.to_string(), 60)).unwrap_or_default()),
    ]
}
