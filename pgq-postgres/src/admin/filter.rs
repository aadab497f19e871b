use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use pgq_core::JobId;
use serde_json::{Map, Value};
use thiserror::Error;

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum State {
    /// Due; waits for a runner.
    Ready,
    /// In the hands of a runner: it runs, or waits for a slot there.
    Running,
    /// For later: delayed, or to be retried.
    Scheduled,
    /// Set aside, since the programs that run cannot read its payload.
    Parked,
    /// Done, and kept.
    Completed,
    /// Failed for good.
    Discarded,
    /// Ended by a person.
    Cancelled,
}

/// A text that is no state.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no state: use ready, running, scheduled, parked, completed, discarded or cancelled")]
pub struct UnknownState(String);

impl State {
    /// All of them, in the order of a job's life.
    pub const ALL: [Self; 7] = [
        Self::Ready,
        Self::Running,
        Self::Scheduled,
        Self::Parked,
        Self::Completed,
        Self::Discarded,
        Self::Cancelled,
    ];

    /// Its name, as in the view `pgq.jobs`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Scheduled => "scheduled",
            Self::Parked => "parked",
            Self::Completed => "completed",
            Self::Discarded => "discarded",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the job has come to its end.
    pub const fn is_finished(self) -> bool {
        matches!(self, Self::Completed | Self::Discarded | Self::Cancelled)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for State {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        let known = Self::ALL.into_iter().find(|state| state.as_str() == text);
        known.ok_or_else(|| UnknownState(text.chars().take(80).collect()))
    }
}

/// Which jobs: those to which all that is set applies.
///
/// ```
/// # use {pgq_postgres::admin::{Filter, State}, std::time::Duration};
/// let stuck = Filter::new().state(State::Ready).queue("mail").older_than(Duration::from_secs(600));
/// let of_a_user = Filter::new().field("user_id", 7);
/// # let _ = (stuck, of_a_user);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    pub(super) states: Vec<State>,
    pub(super) queue: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) older_than: Option<Duration>,
    pub(super) newer_than: Option<Duration>,
    pub(super) fields: Map<String, Value>,
    pub(super) error: Option<String>,
    pub(super) before: Option<JobId>,
}

impl Filter {
    /// All jobs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// In this state; asked for several times, in one of those.
    #[must_use]
    pub fn state(mut self, state: State) -> Self {
        if !self.states.contains(&state) {
            self.states.push(state);
        }
        self
    }

    /// In this queue.
    #[must_use]
    pub fn queue(self, queue: impl Into<String>) -> Self {
        Self { queue: Some(queue.into()), ..self }
    }

    /// Of this kind.
    #[must_use]
    pub fn kind(self, kind: impl Into<String>) -> Self {
        Self { kind: Some(kind.into()), ..self }
    }

    /// Enqueued at least that long ago.
    #[must_use]
    pub fn older_than(self, age: Duration) -> Self {
        Self { older_than: Some(age), ..self }
    }

    /// Enqueued no longer ago than that.
    #[must_use]
    pub fn newer_than(self, age: Duration) -> Self {
        Self { newer_than: Some(age), ..self }
    }

    /// With this value in a field of the type's `index`.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.fields.insert(name.into(), value.into());
        self
    }

    /// With this text, in upper or lower case, in the reason of its end or in the error of an attempt.
    #[must_use]
    pub fn error(self, text: impl Into<String>) -> Self {
        Self { error: Some(text.into()), ..self }
    }

    /// Enqueued before this one: the next page.
    #[must_use]
    pub fn before(self, job: impl Into<JobId>) -> Self {
        Self { before: Some(job.into()), ..self }
    }

    /// Whether every job matches.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The same for these states, unless it names some.
    pub(super) fn or_states(&self, states: &[State]) -> Self {
        let mut filter = self.clone();
        if filter.states.is_empty() {
            filter.states = states.to_vec();
        }
        filter
    }

    pub(super) fn wants(&self, state: State) -> bool {
        self.states.is_empty() || self.states.contains(&state)
    }

    /// As it stands in the audit.
    pub(super) fn to_json(&self) -> Value {
        let mut json = Map::new();
        let mut put = |name: &str, value: Value| json.insert(name.into(), value);
        put("states", self.states.iter().map(|state| state.as_str()).collect());
        put("queue", self.queue.clone().into());
        put("kind", self.kind.clone().into());
        put("older_than_s", self.older_than.map(|age| age.as_secs()).into());
        put("newer_than_s", self.newer_than.map(|age| age.as_secs()).into());
        put("fields", if self.fields.is_empty() { Value::Null } else { self.fields.clone().into() });
        put("error", self.error.clone().into());
        put("before", self.before.map(|job| job.0).into());
        json.retain(|_, value| !value.is_null() && *value != Value::Array(Vec::new()));
        Value::Object(json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_by_their_names_alone() {
        for state in State::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        let message = "Ready".parse::<State>().unwrap_err().to_string();
        assert!(message.contains("\"Ready\" is no state: use ready, running"), "{message}");
    }

    #[test]
    fn the_audit_says_what_is_set_and_no_more() {
        assert_eq!(Filter::new().to_json().to_string(), "{}");
        let filter = Filter::new().state(State::Discarded).state(State::Discarded).queue("q").field("n", 1);
        assert_eq!(
            filter.to_json(),
            serde_json::json!({"states": ["discarded"], "queue": "q", "fields": {"n": 1}})
        );
    }
}
