//! JSON: for payloads that people read in SQL, and for types that only a codec with names can read back.

use std::io::{self, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{BoxError, Codec, Encoded};
use crate::payload::guard::{Elements, Guarded, Limits};

/// How deep arrays and objects may nest: one less than what serde_json refuses to read.
const MAX_DEPTH: usize = 127;

/// The codec of `#[job(codec = "json")]`, for codecs of users to build on.
#[derive(Debug, Clone, Copy)]
pub struct Json;

impl Codec for Json {
    const TAG: u8 = super::JSON;
    const SELF_DESCRIBING: bool = true;

    fn encode<T: Serialize>(value: &T, out: &mut Vec<u8>) -> Result<(), BoxError> {
        Ok(serde_json::to_writer(out, value)?)
    }

    fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, BoxError> {
        Ok(serde_json::from_slice(body)?)
    }
}

/// Appends the value to `bytes`, which stay within `limit`.
pub(super) fn encode<T: Serialize>(value: &T, bytes: Vec<u8>, limit: usize) -> Result<Encoded, String> {
    let elements = Elements::of_bytes(0);
    let guarded = Guarded { inner: value, limits: Limits::new(&elements).finite() };
    let start = bytes.len();
    let mut writer = Bounded { len: start, bytes, limit, elements: &elements };
    serde_json::to_writer(&mut writer, &guarded).map_err(|error| error.to_string())?;
    if writer.len <= limit && depth(&writer.bytes[start..]) > MAX_DEPTH {
        return Err(format!("it nests deeper than {MAX_DEPTH} levels"));
    }
    Ok(Encoded { bytes: writer.bytes, len: writer.len })
}

/// The value that `body` is. Every element takes bytes and serde_json limits the depth, so it needs no further limits.
pub(super) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

/// How deep arrays and objects nest.
fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_text, mut escaped) = (false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Keeps what fits and counts the rest, so that an error can say how much too large the payload is.
struct Bounded<'a> {
    bytes: Vec<u8>,
    len: usize,
    limit: usize,
    elements: &'a Elements,
}

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.elements.add_bytes(bytes.len());
        self.len = self.len.saturating_add(bytes.len());
        if self.len <= self.limit {
            self.bytes.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::depth;

    #[test]
    fn brackets_count_outside_of_texts() {
        for (text, expected) in [("7", 0), ("[]", 1), ("[[],{}]", 2), (r#"{"[\"[\\":[1,["]"]]}"#, 3)] {
            assert_eq!(depth(text.as_bytes()), expected, "{text}");
        }
    }
}
