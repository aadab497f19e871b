use comfy_table::{Cell, Color};
use pgq_postgres::admin::{Admin, QueueStatistics};
use serde_json::Value;

use crate::failure::Failure;
use crate::output::{bad_number, cell, number, say, say_json, table};
use crate::{json as tell, text};

pub(crate) async fn run(admin: &Admin, json: bool) -> Result<(), Failure> {
    let queues = admin.queues().await?;
    if json {
        return say_json(&Value::Array(queues.iter().map(tell::queue).collect()));
    }
    if queues.is_empty() {
        return say("no queue holds a job, and no runner serves one");
    }
    say(&render(&queues))
}

pub(crate) fn render(queues: &[QueueStatistics]) -> String {
    let header =
        ["QUEUE", "READY", "RUNNING", "LATER", "LATENCY", "RUNNERS", "DONE/MIN", "FAILED/MIN", "FAILING", ""];
    table(&header, queues.iter().map(row).collect())
}

fn row(queue: &QueueStatistics) -> Vec<Cell> {
    let rate = queue.failure_rate().map(|rate| format!("{:.0}%", rate * 100.0));
    vec![
        cell(&queue.name),
        number(queue.ready),
        number(queue.running),
        number(queue.scheduled),
        number(queue.latency.map_or_else(|| "0".into(), text::duration)),
        if queue.runners == 0 { cell("none").fg(Color::Red) } else { number(queue.runners) },
        number(queue.completed_per_minute),
        bad_number(queue.failed_per_minute),
        number(rate.unwrap_or_else(|| "0".into())),
        remarks(queue),
    ]
}

fn remarks(queue: &QueueStatistics) -> Cell {
    let mut remarks = Vec::new();
    if queue.paused_at.is_some() {
        remarks.push("paused".to_owned());
    }
    if queue.slow_until.is_some() {
        remarks.push("slowed down".to_owned());
    }
    if let Some(limit) = queue.max_running {
        remarks.push(format!("{limit} a runner"));
    }
    if queue.parked.number() > 0 {
        remarks.push(format!("{} parked", queue.parked));
    }
    cell(remarks.join(", ")).fg(Color::Yellow)
}
