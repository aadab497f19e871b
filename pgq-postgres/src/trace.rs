//! What joins an enqueue and the attempts at its job in one trace. Without the feature `opentelemetry` nobody knows the
//! current span's, and spans keep to themselves.

#[cfg(feature = "opentelemetry")]
pub(crate) use known::{current, join};
#[cfg(not(feature = "opentelemetry"))]
pub(crate) use unknown::{current, join};

#[cfg(feature = "opentelemetry")]
mod known {
    use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
    use pgq_core::{Trace, TraceParent};
    use tracing::{Span, debug};
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    /// Where the current span stands in its trace.
    pub(crate) fn current() -> Option<Trace> {
        let context = Span::current().context();
        let span = context.span();
        let span = span.span_context();
        let ids =
            (u128::from_be_bytes(span.trace_id().to_bytes()), u64::from_be_bytes(span.span_id().to_bytes()));
        let parent = TraceParent::new(ids.0, ids.1, span.trace_flags().to_u8()).ok()?;
        Some(Trace { parent, state: span.trace_state().header().parse().ok() })
    }

    /// Makes the span part of that trace.
    pub(crate) fn join(span: &Span, trace: &Trace) {
        let state = trace.state.as_ref().and_then(|state| state.as_str().parse::<TraceState>().ok());
        let parent = SpanContext::new(
            TraceId::from_bytes(trace.parent.trace_id().to_be_bytes()),
            SpanId::from_bytes(trace.parent.span_id().to_be_bytes()),
            TraceFlags::new(trace.parent.flags()),
            true,
            state.unwrap_or_default(),
        );
        if let Err(error) = span.set_parent(opentelemetry::Context::new().with_remote_span_context(parent)) {
            // No layer of tracing-opentelemetry listens, for one.
            debug!(%error, "the span of an attempt cannot be part of its job's trace");
        }
    }
}

#[cfg(not(feature = "opentelemetry"))]
mod unknown {
    use pgq_core::Trace;
    use tracing::Span;

    pub(crate) fn current() -> Option<Trace> {
        None
    }

    pub(crate) fn join(_: &Span, _: &Trace) {}
}
