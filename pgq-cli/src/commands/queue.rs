use clap::Args;
use pgq_postgres::admin::Admin;
use serde_json::json;

use crate::failure::Failure;
use crate::output::{say, say_json};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The queue.
    queue: String,
}

#[derive(Debug, Args)]
pub struct Limit {
    /// The queue.
    queue: String,
    /// So many of its jobs at a time in each runner; none goes back to what the runners were set to.
    #[arg(value_name = "JOBS|none", value_parser = limit_of)]
    limit: LimitOf,
}

#[derive(Debug, Clone, Copy)]
struct LimitOf(Option<u32>);

fn limit_of(text: &str) -> Result<LimitOf, String> {
    match text {
        "none" => Ok(LimitOf(None)),
        "0" => Err("to let none run, pause the queue".into()),
        number => {
            number.parse().map(|limit| LimitOf(Some(limit))).map_err(|_| "give a number, or none".into())
        }
    }
}

pub(crate) async fn pause(admin: &Admin, arguments: &Arguments, json: bool) -> Result<(), Failure> {
    let known = admin.queue(&arguments.queue).await?.is_some();
    admin.pause(&arguments.queue).await?;
    told(admin, &arguments.queue, known, "is paused: no runner claims from it; `pgq resume` ends that", json)
        .await
}

pub(crate) async fn resume(admin: &Admin, arguments: &Arguments, json: bool) -> Result<(), Failure> {
    let known = admin.queue(&arguments.queue).await?.is_some();
    admin.resume(&arguments.queue).await?;
    told(admin, &arguments.queue, known, "is not paused", json).await
}

pub(crate) async fn limit(admin: &Admin, arguments: &Limit, json: bool) -> Result<(), Failure> {
    let known = admin.queue(&arguments.queue).await?.is_some();
    admin.limit_queue(&arguments.queue, arguments.limit.0).await?;
    let text = match arguments.limit.0 {
        Some(limit) => format!("runs at most {limit} jobs at a time in each runner"),
        None => "is limited as its runners were set".to_owned(),
    };
    told(admin, &arguments.queue, known, &text, json).await
}

async fn told(admin: &Admin, queue: &str, known: bool, text: &str, json: bool) -> Result<(), Failure> {
    if json {
        let now = admin.queue(queue).await?;
        return say_json(&json!({
            "queue": queue, "known": known, "paused": now.as_ref().is_some_and(|queue| queue.paused_at.is_some()),
            "max_running": now.and_then(|queue| queue.max_running),
        }));
    }
    let remark = if known { "" } else { " (no job and no runner knows this queue yet: is the name right?)" };
    say(&format!("queue {queue} {text}{remark}"))
}
