use std::time::SystemTime;

use clap::Args;
use comfy_table::Cell;
use pgq_postgres::JobId;
use pgq_postgres::admin::{Admin, JobSummary, State};
use serde_json::json;

use crate::failure::Failure;
use crate::output::{cell, number, say, say_json, state, table};
use crate::select::FilterArguments;
use crate::{json as tell, text};

/// The most jobs one list shows.
const MOST: u32 = 10_000;

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    filter: FilterArguments,
    /// How many at most.
    #[arg(long, short = 'n', default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST)))]
    limit: u32,
    /// Enqueued before this job: the next page.
    #[arg(long, value_name = "ID")]
    before: Option<i64>,
}

pub(crate) async fn run(admin: &Admin, arguments: &Arguments, json: bool) -> Result<(), Failure> {
    let mut filter = arguments.filter.filter();
    if let Some(before) = arguments.before {
        filter = filter.before(JobId(before));
    }
    let found = admin.find(&filter, arguments.limit as usize).await?;
    if json {
        let jobs: Vec<_> = found.jobs.iter().map(tell::job).collect();
        let next = found.next.map(|job| job.0);
        return say_json(&json!({ "jobs": jobs, "next": next, "complete": found.complete }));
    }
    if found.jobs.is_empty() {
        say("no job matches")?;
    } else {
        let now = admin.now().await?;
        let header = ["ID", "STATE", "QUEUE", "KIND", "PRIO", "ATTEMPT", "ENQUEUED", "WHEN", ""];
        say(&table(&header, found.jobs.iter().map(|job| row(job, now)).collect()))?;
    }
    match found.next {
        Some(next) if found.complete => say(&format!("there are more: --before {}", next.0)),
        Some(next) => say(&format!(
            "there may be more: the look ended after a while; go on with --before {}, or narrow the filter by queue, \
             kind or state",
            next.0
        )),
        None => Ok(()),
    }
}

fn row(job: &JobSummary, now: SystemTime) -> Vec<Cell> {
    let when = match job.state {
        State::Scheduled => job.run_at,
        _ => job.finished_at,
    };
    let args = job.args.as_ref().map(|args| serde_json::Value::Object(args.clone()).to_string());
    let remark = job.reason.clone().or(args).unwrap_or_default();
    vec![
        number(job.id.0),
        state(job.state),
        cell(&job.queue),
        cell(&job.kind),
        number(job.priority),
        cell(format!("{}/{}", job.attempts, job.max_attempts)),
        cell(text::relative(job.enqueued_at, now)),
        cell(when.map(|when| text::relative(when, now)).unwrap_or_default()),
        cell(text::line(&remark, 60)),
    ]
}
