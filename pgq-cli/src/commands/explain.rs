use clap::Args;
use pgq_postgres::JobId;
use pgq_postgres::admin::Admin;
use serde_json::json;

use crate::failure::Failure;
use crate::output::{say, say_json};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The job's id.
    id: i64,
}

pub(crate) async fn run(admin: &Admin, arguments: &Arguments, json: bool) -> Result<(), Failure> {
    let explained = admin.explain(JobId(arguments.id)).await?.ok_or_else(|| Failure::no_job(arguments.id))?;
    if json {
        return say_json(&json!({
            "id": explained.job.0, "state": explained.state.as_str(), "text": explained.text,
        }));
    }
    say(&format!("job {}: {explained}", arguments.id))
}
