use std::time::Duration;

use clap::Args;
use pgq_postgres::JobId;
use pgq_postgres::admin::{Filter, State};
use serde_json::Value;

use crate::failure::Failure;

/// Which jobs: those to which all that is given applies.
#[derive(Debug, Args)]
pub(crate) struct FilterArguments {
    /// In this state: ready, running, scheduled, parked, completed, discarded or cancelled. May be repeated.
    #[arg(long, value_delimiter = ',')]
    state: Vec<State>,
    /// In this queue.
    #[arg(long)]
    queue: Option<String>,
    /// Of this kind.
    #[arg(long)]
    kind: Option<String>,
    /// Enqueued at least that long ago, such as 90s, 10m or 2h.
    #[arg(long, value_name = "AGE", value_parser = duration)]
    older_than: Option<Duration>,
    /// Enqueued no longer ago than that.
    #[arg(long, value_name = "AGE", value_parser = duration)]
    newer_than: Option<Duration>,
    /// With this value in an indexed field, as in user_id=7. May be repeated.
    #[arg(long = "field", value_name = "NAME=VALUE", value_parser = field)]
    fields: Vec<(String, Value)>,
    /// With this text in an error or reason.
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
}

/// Jobs by their ids, or by a filter.
#[derive(Debug, Args)]
pub(crate) struct Selection {
    /// The jobs' ids.
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<i64>,
    #[command(flatten)]
    pub(crate) filter: FilterArguments,
    /// Every job there is that the command applies to.
    #[arg(long)]
    all: bool,
    /// Do it without asking.
    #[arg(long, short)]
    pub(crate) yes: bool,
}

impl FilterArguments {
    pub(crate) fn names_states(&self) -> bool {
        !self.state.is_empty()
    }

    pub(crate) fn filter(&self) -> Filter {
        let mut filter = self.state.iter().fold(Filter::new(), |filter, state| filter.state(*state));
        if let Some(queue) = &self.queue {
            filter = filter.queue(queue);
        }
        if let Some(kind) = &self.kind {
            filter = filter.kind(kind);
        }
        if let Some(age) = self.older_than {
            filter = filter.older_than(age);
        }
        if let Some(age) = self.newer_than {
            filter = filter.newer_than(age);
        }
        if let Some(error) = &self.error {
            filter = filter.error(error);
        }
        self.fields.iter().fold(filter, |filter, (name, value)| filter.field(name, value.clone()))
    }
}

/// What a selection comes to.
pub(crate) enum Selected {
    Ids(Vec<JobId>),
    Filter(Filter),
}

impl Selection {
    pub(crate) fn selected(&self) -> Result<Selected, Failure> {
        let filter = self.filter.filter();
        match (self.ids.is_empty(), filter.is_empty(), self.all) {
            (false, true, false) => Ok(Selected::Ids(self.ids.iter().copied().map(JobId).collect())),
            (true, false, false) | (true, true, true) => Ok(Selected::Filter(filter)),
            (true, true, false) => Err(Failure::usage(
                "which jobs? give ids, or a filter such as --state discarded --kind send_welcome, or --all",
            )),
            _ => Err(Failure::usage("give either ids, or a filter, or --all")),
        }
    }
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; write it as 90s, 10m, 2h or 7d"))
}

/// A value is JSON, or else a text.
fn field(text: &str) -> Result<(String, Value), String> {
    let (name, value) =
        text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("write it as NAME=VALUE")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Ok((name.to_owned(), value))
}
