use std::time::SystemTime;

use clap::Args;
use pgq_postgres::admin::{Admin, JobDetails, State};
use pgq_postgres::{JobId, Registry};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::output::{say, say_json};
use crate::{json as tell, text};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The job's id.
    id: i64,
}

pub(crate) async fn run(
    admin: &Admin,
    registry: &Registry,
    arguments: &Arguments,
    json: bool,
) -> Result<(), Failure> {
    let job = admin.job(JobId(arguments.id)).await?.ok_or_else(|| Failure::no_job(arguments.id))?;
    if json {
        return say_json(&told(&job, registry));
    }
    let explained = admin.explain(JobId(arguments.id)).await?;
    let lines = render(&job, registry, admin.now().await?, explained.map(|explained| explained.text));
    say(&lines.join("\n"))
}

fn told(job: &JobDetails, registry: &Registry) -> Value {
    let mut told = tell::job(&job.summary);
    let payload = match job.render(registry) {
        Some(Ok(payload)) => json!({ "value": payload }),
        Some(Err(error)) => json!({ "error": error.to_string() }),
        None => Value::Null,
    };
    told["runner"] = json!(job.runner);
    told["claimed_at"] = tell::time(job.claimed_at);
    told["cancel_asked"] = json!(job.cancel_asked);
    told["version"] = json!(job.version);
    told["payload_bytes"] = json!(job.payload.len());
    told["payload"] = payload;
    told["options"] = json!(job.options);
    told["failures"] = job.failures.iter().map(tell::attempt).collect();
    told["changes"] = job.changes.iter().map(tell::change).collect();
    told
}

/// The job, line by line.
pub(crate) fn render(
    job: &JobDetails,
    registry: &Registry,
    now: SystemTime,
    explained: Option<String>,
) -> Vec<String> {
    let summary = &job.summary;
    let mut lines =
        vec![format!("job {}: {} in queue {}, {}", summary.id, summary.kind, summary.queue, summary.state)];
    if let Some(explained) = explained {
        lines.push(format!("  {explained}"));
    }
    lines.push(String::new());
    let crashes = if summary.crashes > 0 { format!(", {} crashes", summary.crashes) } else { String::new() };
    lines.push(format!("  attempts  {} of {} spent{crashes}", summary.attempts, summary.max_attempts));
    lines.push(format!("  priority  {}", summary.priority));
    lines.push(format!("  payload   {}", payload(job, registry)));
    if let Some(args) = &summary.args {
        lines.push(format!("  args      {}", Value::Object(args.clone())));
    }
    if let Some(options) = job.options.as_ref().filter(|options| **options != json!({})) {
        lines.push(format!("  options   {options}"));
    }
    lines.push(String::new());
    lines.extend(timeline(job, now));
    lines
}

fn payload(job: &JobDetails, registry: &Registry) -> String {
    match job.render(registry) {
        Some(Ok(payload)) => payload.to_string(),
        Some(Err(error)) => format!("cannot be read: {}", text::line(&error.to_string(), 200)),
        None => {
            let size = job.payload.len();
            format!("{size} bytes of version {}; only a program with its type can show it", job.version)
        }
    }
}

/// Everything that is on record, in the order of time.
fn timeline(job: &JobDetails, now: SystemTime) -> Vec<String> {
    let mut events = vec![(job.summary.enqueued_at, "enqueued".to_owned())];
    for failure in &job.failures {
        let what = if failure.crash { "crashed" } else { "failed" };
        let error = text::clean(&failure.error).replace('\n', "\n                                      ");
        events
            .push((failure.at, format!("attempt {} {what} on {}: {error}", failure.attempt, failure.runner)));
    }
    for change in &job.changes {
        let who = change.actor.as_ref().unwrap_or(&change.role);
        let many = if change.jobs > 1 { format!(", among {} jobs", change.jobs) } else { String::new() };
        events.push((change.at, format!("{} by {who}{many}", change.action)));
    }
    if let Some(at) = job.claimed_at {
        let runner = job.runner.as_deref().unwrap_or("a runner that is gone");
        events.push((at, format!("attempt {} claimed by {runner}", job.summary.attempts.saturating_add(1))));
    }
    if let Some(at) = job.summary.finished_at {
        events.push((at, job.summary.state.to_string()));
    }
    if let Some(at) = job.summary.run_at.filter(|_| job.summary.state == State::Scheduled) {
        events.push((at, format!("attempt {} is due", job.summary.attempts.saturating_add(1))));
    }
    events.sort_by_key(|(at, _)| *at);
    events
        .into_iter()
        .map(|(at, what)| format!("  {}  {:>10}  {what}", text::exact(at), text::relative(at, now)))
        .collect()
}
