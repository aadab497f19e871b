use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// The longest tracestate that is stored with a job, in bytes: what W3C Trace Context asks everybody to pass on.
pub const MAX_TRACE_STATE_BYTES: usize = 512;

/// How long a traceparent of version 00 is.
const TRACE_PARENT_BYTES: usize = 55;

/// The span in which a job was enqueued, as [W3C Trace Context](https://www.w3.org/TR/trace-context/#traceparent-header)
/// writes it: what joins a web request and its jobs in one trace.
///
/// ```
/// # use pgq_core::TraceParent;
/// let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let parent: TraceParent = header.parse()?;
/// assert!(parent.is_sampled() && parent.to_string() == header);
/// # Ok::<(), pgq_core::TraceError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceParent {
    trace_id: [u8; 16], // bytes, so that it asks no alignment of what holds it
    span_id: [u8; 8],
    flags: u8,
}

impl TraceParent {
    /// The span of that trace. The lowest of the flags says that the trace is sampled.
    ///
    /// # Errors
    /// An id that is zero.
    pub fn new(trace_id: u128, span_id: u64, flags: u8) -> Result<Self, TraceError> {
        if trace_id == 0 || span_id == 0 {
            return Err(TraceError::Zero);
        }
        Ok(Self { trace_id: trace_id.to_be_bytes(), span_id: span_id.to_be_bytes(), flags })
    }

    /// The whole trace's id.
    pub fn trace_id(self) -> u128 {
        u128::from_be_bytes(self.trace_id)
    }

    /// The span's id.
    pub fn span_id(self) -> u64 {
        u64::from_be_bytes(self.span_id)
    }

    /// The flags.
    pub fn flags(self) -> u8 {
        self.flags
    }

    /// Whether the trace is recorded.
    pub fn is_sampled(self) -> bool {
        self.flags & 1 == 1
    }
}

impl FromStr for TraceParent {
    type Err = TraceError;

    /// Reads version 00, and what it knows of later ones.
    fn from_str(text: &str) -> Result<Self, TraceError> {
        let wrong = || TraceError::Parent(shortened(text));
        let bytes = text.as_bytes();
        let is_lower_hex = |c: &u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
        let well_formed = bytes.len() >= TRACE_PARENT_BYTES
            && bytes[..TRACE_PARENT_BYTES].iter().enumerate().all(|(at, c)| match at {
                2 | 35 | 52 => *c == b'-',
                _ => is_lower_hex(c),
            });
        if !well_formed || &bytes[..2] == b"ff" {
            return Err(wrong());
        }
        let ends = match bytes.get(TRACE_PARENT_BYTES) {
            None => true,
            Some(next) => &bytes[..2] != b"00" && *next == b'-',
        };
        if !ends {
            return Err(wrong());
        }
        let trace_id = u128::from_str_radix(&text[3..35], 16).map_err(|_| wrong())?;
        let span_id = u64::from_str_radix(&text[36..52], 16).map_err(|_| wrong())?;
        let flags = u8::from_str_radix(&text[53..55], 16).map_err(|_| wrong())?;
        Self::new(trace_id, span_id, flags)
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id(), self.span_id(), self.flags)
    }
}

impl fmt::Debug for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<&str> for TraceParent {
    type Error = TraceError;

    fn try_from(text: &str) -> Result<Self, TraceError> {
        text.parse()
    }
}

impl TryFrom<String> for TraceParent {
    type Error = TraceError;

    fn try_from(text: String) -> Result<Self, TraceError> {
        text.parse()
    }
}

/// What several tracing systems say of a span beside its [`TraceParent`]: the text of a tracestate header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceState(Box<str>);

impl TraceState {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TraceState {
    type Err = TraceError;

    fn from_str(text: &str) -> Result<Self, TraceError> {
        let printable = text.bytes().all(|c| matches!(c, b' '..=b'~' | b'\t'));
        if text.is_empty() || text.len() > MAX_TRACE_STATE_BYTES || !printable {
            return Err(TraceError::State(shortened(text)));
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<&str> for TraceState {
    type Error = TraceError;

    fn try_from(text: &str) -> Result<Self, TraceError> {
        text.parse()
    }
}

impl TryFrom<String> for TraceState {
    type Error = TraceError;

    fn try_from(text: String) -> Result<Self, TraceError> {
        text.parse()
    }
}

/// A span, and what several tracing systems say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The span.
    pub parent: TraceParent,
    /// What belongs to it.
    pub state: Option<TraceState>,
}

/// Why a text is no part of a trace context.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TraceError {
    /// No traceparent.
    #[error(
        "{0:?} is no traceparent: it looks like 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01, in lower case"
    )]
    Parent(String),
    /// An id of zero means that there is none.
    #[error("the ids of a trace and of a span are not zero: leave the traceparent out where there is none")]
    Zero,
    /// No tracestate.
    #[error("{0:?} is no tracestate: use 1 to {MAX_TRACE_STATE_BYTES} printable ASCII characters")]
    State(String),
}

/// For [`TraceParent`]s that are given as such.
impl From<Infallible> for TraceError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

impl Serialize for TraceParent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for TraceState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Reads what was stored; none if it is not what it should be, since a job must not suffer from a bad trace.
pub(crate) fn if_valid<'de, T: FromStr, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Any<'a> {
        Text(#[serde(borrow)] Cow<'a, str>),
        Other(serde::de::IgnoredAny),
    }
    Ok(match Any::deserialize(deserializer)? {
        Any::Text(text) => text.parse().ok(),
        Any::Other(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::JobOptions;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn reads_what_the_standard_writes_and_nothing_else() {
        assert_eq!(GOOD.parse::<TraceParent>().unwrap().to_string(), GOOD);
        let later = format!("cc{}-what-comes", &GOOD[2..]);
        assert_eq!(later.parse::<TraceParent>().unwrap().to_string(), GOOD, "a later version");
        let upper = GOOD.to_uppercase();
        let long = format!("{GOOD}-00");
        let invalid = format!("ff{}", &GOOD[2..]);
        let signed = GOOD.replace("4bf9", "+bf9");
        let umlaut = GOOD.replace("4bf9", "4bü");
        for bad in
            ["", "00", &GOOD[..54], &upper, &long, &invalid, &signed, &umlaut, &later.replace("01-w", "01w")]
        {
            assert!(matches!(bad.parse::<TraceParent>(), Err(TraceError::Parent(_))), "{bad}");
        }
        for none in [
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        ] {
            assert_eq!(none.parse::<TraceParent>(), Err(TraceError::Zero));
        }
    }

    #[test]
    fn a_state_is_a_header() {
        assert_eq!("vendor=x,other=y".parse::<TraceState>().unwrap().as_str(), "vendor=x,other=y");
        for bad in ["", "a=\n", "a=ü", &"a".repeat(513)] {
            assert!(matches!(bad.parse::<TraceState>(), Err(TraceError::State(_))), "{bad}");
        }
    }

    #[test]
    fn what_is_stored_badly_is_no_trace_and_does_not_hurt_the_rest() {
        for bad in ["\"00-4bf9\"", "7", "{\"a\": [1]}", "null"] {
            let text = format!("{{\"timeout_ms\": 5, \"trace\": {bad}, \"trace_state\": {bad}}}");
            let options: JobOptions = serde_json::from_str(&text).unwrap();
            assert_eq!((options.timeout_ms, options.trace), (Some(5), None), "{bad}");
        }
        let options =
            JobOptions { trace: GOOD.parse().ok(), trace_state: "a=b".parse().ok(), ..Default::default() };
        let stored = serde_json::to_value(&options).unwrap();
        assert_eq!(stored, serde_json::json!({"trace": GOOD, "trace_state": "a=b"}));
        assert_eq!(serde_json::from_value::<JobOptions>(stored).unwrap(), options);
    }
}
