//! Outcomes that a runner could not record, since their lease had been taken from it: from what it logs.

use std::fmt::Debug;
use std::sync::Arc;

use tracing::field::{Field, Visit};
use tracing::{Event as Logged, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use uuid::Uuid;

use crate::history::{Event, History};

/// Notes refusals in a history.
#[derive(Debug)]
pub struct Refusals(pub Arc<History>);

impl Refusals {
    /// Sees nothing but the library's own events.
    pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(self) -> impl Layer<S> {
        self.with_filter(Targets::new().with_target("pgq_postgres", LevelFilter::DEBUG))
    }
}

impl<S: Subscriber> Layer<S> for Refusals {
    fn on_event(&self, event: &Logged<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        if let Fields { lease: Some(lease), dropped: Some(outcomes) } = fields {
            self.0.note(Event::Stale { lease, outcomes });
        }
    }
}

/// What such an event has.
#[derive(Default)]
struct Fields {
    lease: Option<Uuid>,
    dropped: Option<u64>,
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "dropped" {
            self.dropped = Some(value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "lease" {
            self.lease = format!("{value:?}").parse().ok();
        }
    }
}
