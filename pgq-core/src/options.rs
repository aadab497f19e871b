use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::trace::if_valid;
use crate::{HeldWhile, Retry, TraceParent, TraceState};

/// What one job wants otherwise than its type: set when it is enqueued, stored with it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JobOptions {
    /// How long to wait after each failed attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// How long one attempt may take, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How long it holds the key of a unique job; none if it is not unique.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_while: Option<HeldWhile>,
    /// That key, as hexadecimal digits: a job that has ended needs it to run again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unique_key: Option<String>,
    /// Its searchable fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Map<String, Value>>,
    /// The span it was enqueued in. A text that is none is read as none.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "if_valid")]
    pub trace: Option<TraceParent>,
    /// What belongs to that span.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "if_valid")]
    pub trace_state: Option<TraceState>,
}

impl JobOptions {
    /// Whether nothing differs from the type.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// How long one attempt may take, if this job says so.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout_ms.map(Duration::from_millis)
    }
}
