use std::io::{IsTerminal, Write};
use std::time::{Duration, SystemTime};

use clap::Args;
use pgq_postgres::JobId;
use pgq_postgres::admin::{Admin, Bulk, Cancelled, Changed, Count, Filter, State, When};
use serde_json::json;

use super::UNFINISHED;
use crate::failure::Failure;
use crate::output::{say, say_json};
use crate::select::{Selected, Selection, duration};

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub(super) selection: Selection,
}

#[derive(Debug, Args)]
pub struct Reprioritise {
    /// The new priority, -32768 to 32767; lower runs first.
    #[arg(long, allow_negative_numbers = true)]
    pub(super) priority: i16,
    #[command(flatten)]
    pub(super) selection: Selection,
}

#[derive(Debug, Args)]
pub struct Reschedule {
    /// That long from now, such as 10m; 0s for at once.
    #[arg(long = "in", value_name = "TIME", value_parser = duration)]
    after: Option<Duration>,
    /// At that time, as in 2030-01-31T09:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_rfc3339_weak, conflicts_with = "after")]
    at: Option<SystemTime>,
    #[command(flatten)]
    pub(super) selection: Selection,
}

impl Reschedule {
    pub(super) fn when(&self) -> Result<When, Failure> {
        match (self.after, self.at) {
            (Some(after), _) => Ok(When::After(after)),
            (None, Some(at)) => Ok(When::At(at)),
            (None, None) => Err(Failure::usage("when? give --in 10m or --at 2030-01-31T09:00:00Z")),
        }
    }
}

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub(super) enum Verb {
    Retry,
    Cancel,
    Discard,
    Reprioritise(i16),
    Reschedule(When),
}

impl Verb {
    const fn word(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Cancel => "cancel",
            Self::Discard => "discard",
            Self::Reprioritise(_) => "reprioritise",
            Self::Reschedule(_) => "reschedule",
        }
    }

    /// What it applies to where no state is asked for.
    fn default_states(self) -> Vec<State> {
        match self {
            Self::Retry => vec![State::Discarded, State::Parked],
            Self::Cancel => UNFINISHED.to_vec(),
            _ => vec![State::Ready, State::Scheduled, State::Parked],
        }
    }

    async fn one(self, admin: &Admin, id: JobId) -> Result<Result<String, String>, Failure> {
        let changed = match self {
            Self::Cancel => {
                return Ok(match admin.cancel(id).await? {
                    Cancelled::Waiting => Ok("cancelled".into()),
                    Cancelled::Running => Ok("runs, and is told; it completes if it gets there first".into()),
                    _ => Err("has come to its end before, or never was".into()),
                });
            }
            Self::Retry => admin.retry(id).await?,
            Self::Discard => admin.discard(id).await?,
            Self::Reprioritise(priority) => admin.reprioritise(id, priority).await?,
            Self::Reschedule(when) => admin.reschedule(id, when).await?,
        };
        Ok(match changed {
            Changed::Done => Ok(self.done().into()),
            Changed::Running => Err("runs, and is left alone; `pgq cancel` tells it to end".into()),
            Changed::Finished(state) => Err(format!("is {state} already; `pgq retry` lets it run again")),
            Changed::KeyTaken => {
                Err("cannot run again: it is unique and another job holds its key, or its attempts are at \
                                      their limit"
                    .into())
            }
            _ => Err("does not exist: it completed and is gone, or never was".into()),
        })
    }

    const fn done(self) -> &'static str {
        match self {
            Self::Retry => "runs again",
            Self::Cancel => "cancelled",
            Self::Discard => "discarded",
            Self::Reprioritise(_) => "has its new priority",
            Self::Reschedule(_) => "has its new time",
        }
    }

    async fn all(self, admin: &Admin, filter: &Filter) -> Result<Bulk, Failure> {
        Ok(match self {
            Self::Retry => admin.retry_all(filter).await?,
            Self::Cancel => admin.cancel_all(filter).await?,
            Self::Discard => admin.discard_all(filter).await?,
            Self::Reprioritise(priority) => admin.reprioritise_all(filter, priority).await?,
            Self::Reschedule(when) => admin.reschedule_all(filter, when).await?,
        })
    }
}

pub(super) async fn run(admin: &Admin, verb: Verb, selection: &Selection, json: bool) -> Result<(), Failure> {
    match selection.selected()? {
        Selected::Ids(ids) => each(admin, verb, &ids, json).await,
        Selected::Filter(filter) => all(admin, verb, &filter, selection, json).await,
    }
}

async fn each(admin: &Admin, verb: Verb, ids: &[JobId], json: bool) -> Result<(), Failure> {
    let mut told = Vec::new();
    let mut failed = 0;
    for id in ids {
        let result = verb.one(admin, *id).await?;
        failed += usize::from(result.is_err());
        let (Ok(text) | Err(text)) = &result;
        if json {
            told.push(json!({ "id": id.0, "done": result.is_ok(), "text": text }));
        } else {
            say(&format!("job {id} {text}"))?;
        }
    }
    if json {
        say_json(&told.into())?;
    }
    match failed {
        0 => Ok(()),
        _ => Err(Failure::failed(format!("{failed} of {} jobs stay as they are", ids.len()))),
    }
}

async fn all(
    admin: &Admin,
    verb: Verb,
    filter: &Filter,
    selection: &Selection,
    json: bool,
) -> Result<(), Failure> {
    let states = verb.default_states();
    let counted = if selection.filter.names_states() {
        filter.clone()
    } else {
        states.into_iter().fold(filter.clone(), Filter::state)
    };
    let count = admin.count(&counted).await?;
    if count == Count::Exactly(0) {
        return if json { say_json(&json!({ "matched": 0, "changed": 0 })) } else { say("no job matches") };
    }
    if !selection.yes {
        confirm(verb, count)?;
    }
    let bulk = verb.all(admin, filter).await?;
    if json {
        return say_json(&json!({
            "matched": bulk.matched, "changed": bulk.changed, "keys_taken": bulk.keys_taken, "missed": bulk.missed(),
        }));
    }
    say(&summary(verb, bulk))
}

fn summary(verb: Verb, bulk: Bulk) -> String {
    let mut text = format!("{}: {} of {} jobs that match", verb.word(), bulk.changed, bulk.matched);
    if bulk.keys_taken > 0 {
        text.push_str(&format!("; {} stay, since another job holds the key of each", bulk.keys_taken));
    }
    if bulk.missed() > 0 {
        text.push_str(&format!("; {} run, or had moved on", bulk.missed()));
    }
    text
}

/// Asks on a terminal; elsewhere nobody can answer.
fn confirm(verb: Verb, count: Count) -> Result<(), Failure> {
    let word = verb.word();
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(format!(
            "this would {word} {count} jobs: add --yes to do it, or narrow the filter"
        )));
    }
    eprint!("{word} {count} jobs? [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::failed("nothing was changed")),
    }
}
