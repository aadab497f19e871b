use std::time::SystemTime;

use clap::{Args, Subcommand};
use comfy_table::{Cell, Color};
use pgq_postgres::{ScheduleInfo, Schedules};
use serde_json::{Value, json};

use crate::connect::Database;
use crate::failure::Failure;
use crate::output::{cell, say, say_json, table};
use crate::{json as tell, text};

#[derive(Debug, Args)]
pub struct Arguments {
    /// Nothing lists them all.
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// When it will be due next.
    Next {
        /// The schedule.
        name: String,
        /// How many times to tell.
        #[arg(long, short = 'n', default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
        ticks: u16,
    },
    /// Let no tick of it fire until it is resumed.
    Pause {
        /// The schedule.
        name: String,
    },
    /// End a pause.
    Resume {
        /// The schedule.
        name: String,
    },
    /// Delete it. One that a type declares comes back with the next runner that knows the type: pause that.
    Delete {
        /// The schedule.
        name: String,
    },
}

pub(crate) async fn run(database: &Database, arguments: &Arguments, json: bool) -> Result<(), Failure> {
    let schedules = database.schedules();
    match &arguments.action {
        None => list(&schedules, json).await,
        Some(Action::Next { name, ticks }) => next(&schedules, name, usize::from(*ticks), json).await,
        Some(Action::Pause { name }) => {
            schedules.pause(name).await?;
            told(&schedules, name, "is paused: none of its ticks fires", json).await
        }
        Some(Action::Resume { name }) => {
            schedules.resume(name).await?;
            told(&schedules, name, "is not paused", json).await
        }
        Some(Action::Delete { name }) => match schedules.delete(name).await? {
            true if json => say_json(&json!({ "name": name, "deleted": true })),
            true => say(&format!("schedule {name} is deleted")),
            false => Err(Failure::failed(format!(
                "there is no schedule {name}: `pgq schedules` lists what there is"
            ))),
        },
    }
}

async fn list(schedules: &Schedules, json: bool) -> Result<(), Failure> {
    let all = schedules.list().await?;
    if json {
        return say_json(&Value::Array(all.iter().map(schedule).collect()));
    }
    if all.is_empty() {
        return say("there is no schedule");
    }
    let header = ["SCHEDULE", "CRON", "TIME ZONE", "NEXT", "LAST", "LAST JOB", "KIND", "QUEUE", ""];
    say(&table(&header, all.iter().map(row).collect()))
}

async fn next(schedules: &Schedules, name: &str, ticks: usize, json: bool) -> Result<(), Failure> {
    let ticks: Vec<String> = schedules.next(name, ticks).await?.into_iter().map(text::exact).collect();
    if json { say_json(&json!({ "name": name, "next": ticks })) } else { say(&ticks.join("\n")) }
}

async fn told(schedules: &Schedules, name: &str, what: &str, json: bool) -> Result<(), Failure> {
    if json {
        return say_json(&schedule(&schedules.find(name).await?));
    }
    say(&format!("schedule {name} {what}"))
}

fn schedule(schedule: &ScheduleInfo) -> Value {
    json!({
        "name": schedule.name, "cron": schedule.cron, "timezone": schedule.timezone, "kind": schedule.kind,
        "queue": schedule.queue, "declared": schedule.declared, "jitter_s": schedule.jitter.as_secs_f64(),
        "paused_at": tell::time(schedule.paused_at), "last_at": tell::time(schedule.last_at),
        "last_job": schedule.last_job.map(|job| job.0), "next_at": tell::time(schedule.next_at),
    })
}

fn row(schedule: &ScheduleInfo) -> Vec<Cell> {
    let when =
        |time: Option<SystemTime>| time.map(|time| text::relative(time, schedule.now)).unwrap_or_default();
    let remark = match (schedule.paused_at, schedule.declared) {
        (Some(_), _) => cell("paused").fg(Color::Yellow),
        (None, true) => cell("declared"),
        (None, false) => cell(""),
    };
    vec![
        cell(&schedule.name),
        cell(&schedule.cron),
        cell(&schedule.timezone),
        cell(when(schedule.next_at)),
        cell(when(schedule.last_at)),
        cell(schedule.last_job.map(|job| job.to_string()).unwrap_or_default()),
        cell(&schedule.kind),
        cell(&schedule.queue),
        remark,
    ]
}
