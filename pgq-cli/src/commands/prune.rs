use std::time::Duration;

use clap::Args;
use pgq_postgres::admin::{Admin, State};
use serde_json::json;

use crate::failure::Failure;
use crate::output::{say, say_json};
use crate::select::duration;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Those that came to their end at least that long ago.
    #[arg(long, value_name = "AGE", value_parser = duration)]
    older_than: Duration,
    /// Only jobs in this state: completed, discarded or cancelled. May be repeated.
    #[arg(long, value_delimiter = ',')]
    state: Vec<State>,
    /// Forget operators' changes of that age, too.
    #[arg(long)]
    audit: bool,
}

pub(crate) async fn run(admin: &Admin, arguments: &Arguments, json: bool) -> Result<(), Failure> {
    let all = [State::Completed, State::Discarded, State::Cancelled];
    let states = if arguments.state.is_empty() { &all[..] } else { &arguments.state };
    let mut pruned = Vec::new();
    for state in states {
        pruned.push((*state, admin.prune(*state, arguments.older_than).await?));
    }
    let changes = if arguments.audit { admin.prune_audit(arguments.older_than).await? } else { 0 };
    if json {
        let jobs: serde_json::Map<_, _> =
            pruned.into_iter().map(|(state, jobs)| (state.to_string(), json!(jobs))).collect();
        return say_json(&json!({ "jobs": jobs, "changes": changes }));
    }
    for (state, jobs) in pruned {
        say(&format!("{jobs} {state} jobs deleted"))?;
    }
    if arguments.audit { say(&format!("{changes} changes forgotten")) } else { Ok(()) }
}
