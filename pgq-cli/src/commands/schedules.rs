use std::time::SystemTime;

use clap::{Args, Subcommand, ValueEnum};
use comfy_table::{Cell, Color};
use pgq_postgres::{Error, MAX_MISSED, Missed, Overlap, ScheduleChange, ScheduleInfo, Schedules};
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
    /// Change when it ticks, and what becomes of its ticks; the rest stays.
    Change {
        /// The schedule.
        name: String,
        #[command(flatten)]
        change: Change,
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

#[derive(Debug, Args)]
#[group(id = "what", required = true, multiple = true)]
struct Change {
    /// Another cron expression, as in "0 9 * * mon-fri".
    #[arg(long, value_name = "EXPRESSION")]
    cron: Option<String>,
    /// Another time zone, as in Europe/Rome.
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// What becomes of missed ticks: skip, once, or up to how many of them have a job each, 1 to 1000.
    #[arg(long, value_name = "POLICY", value_parser = missed)]
    missed: Option<Missed>,
    /// What becomes of a tick that finds the job before it unfinished.
    #[arg(long, value_name = "POLICY")]
    overlap: Option<OverlapPolicy>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OverlapPolicy {
    /// It has its job, too.
    Allow,
    /// It has none.
    Skip,
    /// It has its job, and the one before is cancelled.
    Replace,
}

impl Change {
    fn change(&self) -> ScheduleChange {
        let mut change = ScheduleChange::new();
        if let Some(cron) = &self.cron {
            change = change.cron(cron);
        }
        if let Some(timezone) = &self.timezone {
            change = change.timezone(timezone);
        }
        if let Some(missed) = self.missed {
            change = change.missed(missed);
        }
        match self.overlap {
            Some(OverlapPolicy::Allow) => change.overlap(Overlap::Allow),
            Some(OverlapPolicy::Skip) => change.overlap(Overlap::Skip),
            Some(OverlapPolicy::Replace) => change.overlap(Overlap::Replace),
            None => change,
        }
    }

    /// What the command line gives may be no schedule. What stands in the database may not be, either, if a newer library
    /// wrote it.
    fn failure(&self, error: Error) -> Failure {
        match error {
            Error::Cron(error) if self.cron.is_some() || self.timezone.is_some() => {
                Failure::usage(error.to_string())
            }
            error => error.into(),
        }
    }
}

fn missed(text: &str) -> Result<Missed, &'static str> {
    match text {
        "skip" => Ok(Missed::Skip),
        "once" => Ok(Missed::Once),
        most => match most.parse() {
            Ok(most @ 1..=MAX_MISSED) => Ok(Missed::All(most)),
            _ => Err("use skip, once, or a number from 1 to 1000"),
        },
    }
}

pub(crate) async fn run(database: &Database, arguments: &Arguments, json: bool) -> Result<(), Failure> {
    let schedules = database.schedules();
    match &arguments.action {
        None => list(&schedules, json).await,
        Some(Action::Next { name, ticks }) => next(&schedules, name, usize::from(*ticks), json).await,
        Some(Action::Change { name, change }) => {
            schedules.change(name, change.change()).await.map_err(|error| change.failure(error))?;
            told(&schedules, name, "is changed", json).await
        }
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
            false => Err(Failure::no_schedule(name)),
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
    let header = [
        "SCHEDULE",
        "CRON",
        "TIME ZONE",
        "MISSED",
        "OVERLAP",
        "NEXT",
        "LAST",
        "LAST JOB",
        "KIND",
        "QUEUE",
        "",
    ];
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
        "queue": schedule.queue, "missed": schedule.missed.as_str(), "missed_most": most(schedule.missed),
        "overlap": schedule.overlap.as_str(), "declared": schedule.declared, "jitter_s": schedule.jitter.as_secs_f64(),
        "paused_at": tell::time(schedule.paused_at), "last_at": tell::time(schedule.last_at),
        "last_job": schedule.last_job.map(|job| job.0), "next_at": tell::time(schedule.next_at),
    })
}

/// How many missed ticks have a job each, if that is the policy.
fn most(missed: Missed) -> Option<u16> {
    if let Missed::All(most) = missed { Some(most) } else { None }
}

/// As `change --missed` takes it.
fn policy(policy: Missed) -> String {
    most(policy).map_or_else(|| policy.as_str().to_owned(), |most| most.to_string())
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
        cell(policy(schedule.missed)),
        cell(schedule.overlap.as_str()),
        cell(when(schedule.next_at)),
        cell(when(schedule.last_at)),
        cell(schedule.last_job.map(|job| job.to_string()).unwrap_or_default()),
        cell(&schedule.kind),
        cell(&schedule.queue),
        remark,
    ]
}
