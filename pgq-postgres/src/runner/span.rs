//! The span of an attempt, in the words of OpenTelemetry's conventions for messaging.

use pgq_core::Outcome;
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Span, info_span};

use super::batch::Claimed;
use super::shared::Shared;
use crate::trace;

/// The level of the spans.
const LEVEL: Level = Level::INFO;

/// The span of the next attempt at that job: disabled, and then next to free, where nobody is interested.
pub(crate) fn of(shared: &Shared, job: &Claimed) -> Span {
    let queue = &*job.lease.queue;
    let span = info_span!(
        "perform",
        otel.name = %format_args!("perform {queue}"),
        otel.kind = "consumer",
        messaging.system = "pgq",
        messaging.operation.name = "perform",
        messaging.operation.type = "process",
        messaging.destination.name = queue,
        messaging.message.id = %job.id,
        messaging.client.id = %shared.name,
        pgq.kind = job.lease.kind.as_ref().map(|kind| kind.name),
        pgq.attempt = job.number,
        pgq.max_attempts = job.max_attempts,
        pgq.outcome = Empty,
        error.type = Empty,
        otel.status_code = Empty,
        otel.status_description = Empty,
    );
    if !span.is_disabled()
        && let Some(trace) = &job.trace
    {
        trace::join(&span, trace);
    }
    span
}

/// Notes what became of the attempt whose span is the current one. No outcome: the handler itself completed the job.
pub(crate) fn ended(outcome: Option<&Outcome>) {
    if LevelFilter::current() < LEVEL {
        return;
    }
    let span = Span::current();
    let (word, error) = match outcome {
        None | Some(Outcome::Complete) => ("completed", None),
        Some(Outcome::Retry { error, .. }) => ("retried", Some(error)),
        Some(Outcome::Discard { error, .. }) => ("discarded", Some(error)),
        Some(Outcome::Park { error }) => ("parked", Some(error)),
        Some(Outcome::Snooze { .. }) => ("snoozed", None),
        Some(Outcome::Release) => ("released", None),
    };
    span.record("pgq.outcome", word);
    if let Some(error) = error {
        span.record("error.type", word);
        span.record("otel.status_code", "ERROR");
        span.record("otel.status_description", error.as_str());
    }
}
