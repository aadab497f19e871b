//! One file a command.

pub(crate) mod change;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod errors;
pub(crate) mod explain;
pub(crate) mod job;
pub(crate) mod jobs;
mod migrate;
pub(crate) mod prune;
pub(crate) mod queue;
mod queues;
pub(crate) mod runners;
pub(crate) mod schedules;
mod status;
pub(crate) mod top;

use std::process::ExitCode;

use pgq_postgres::Registry;
use pgq_postgres::admin::{State, When};

use crate::arguments::{Arguments, Command};
use crate::connect::Database;
use crate::failure::Failure;
use change::Verb;

pub(crate) async fn run(registry: &Registry, arguments: Arguments) -> Result<ExitCode, Failure> {
    let Arguments { globals, command, program } = arguments;
    match command {
        Command::Completions(arguments) => {
            completions::print(&arguments, program);
            return Ok(ExitCode::SUCCESS);
        }
        Command::Migrate => return migrate::run(&Database::connect(&globals).await?, globals.json).await,
        Command::Doctor(arguments) => {
            return doctor::run(&Database::connect(&globals).await?, &arguments, globals.json).await;
        }
        _ => {}
    }
    let database = Database::migrated(&globals).await?;
    let (admin, json) = (&database.admin, globals.json);
    match command {
        Command::Migrate | Command::Doctor(_) | Command::Completions(_) => {}
        Command::Status => status::run(admin, json).await?,
        Command::Queues => queues::run(admin, json).await?,
        Command::Jobs(arguments) => jobs::run(admin, &arguments, json).await?,
        Command::Job(arguments) => job::run(admin, registry, &arguments, json).await?,
        Command::Retry(arguments) => change::run(admin, Verb::Retry, &arguments.selection, json).await?,
        Command::Cancel(arguments) => change::run(admin, Verb::Cancel, &arguments.selection, json).await?,
        Command::Discard(arguments) => change::run(admin, Verb::Discard, &arguments.selection, json).await?,
        Command::Reprioritise(arguments) => {
            change::run(admin, Verb::Reprioritise(arguments.priority), &arguments.selection, json).await?;
        }
        Command::Reschedule(arguments) => {
            let when: When = arguments.when()?;
            change::run(admin, Verb::Reschedule(when), &arguments.selection, json).await?;
        }
        Command::Pause(arguments) => queue::pause(admin, &arguments, json).await?,
        Command::Resume(arguments) => queue::resume(admin, &arguments, json).await?,
        Command::Limit(arguments) => queue::limit(admin, &arguments, json).await?,
        Command::Runners(arguments) => runners::run(admin, &arguments, json).await?,
        Command::Schedules(arguments) => schedules::run(&database, &arguments, json).await?,
        Command::Errors(arguments) => errors::run(admin, &arguments, json).await?,
        Command::Audit(arguments) => errors::audit(admin, &arguments, json).await?,
        Command::Explain(arguments) => explain::run(admin, &arguments, json).await?,
        Command::Prune(arguments) => prune::run(admin, &arguments, json).await?,
        Command::Top(arguments) => top::run(admin, registry, &arguments, json).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The states in which a job has not come to its end.
const UNFINISHED: [State; 4] = [State::Ready, State::Running, State::Scheduled, State::Parked];
