//! bincode, within the limits of `guard` and with errors in words.

use std::marker::PhantomData;

use ::bincode::config::{Configuration, standard};
use ::bincode::enc::write::Writer;
use ::bincode::error::{DecodeError, EncodeError};
use ::bincode::serde::{DecodeError as SerdeDecodeError, EncodeError as SerdeEncodeError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{BoxError, Codec, Encoded};
use crate::payload::guard::{Elements, Guarded, Limits};

/// The codec of `#[job(codec = "bincode")]`, for codecs of users to build on.
#[derive(Debug, Clone, Copy)]
pub struct Bincode;

impl Codec for Bincode {
    const TAG: u8 = super::BINCODE;

    fn encode<T: Serialize>(value: &T, out: &mut Vec<u8>) -> Result<(), BoxError> {
        ::bincode::serde::encode_into_std_write(value, out, config()).map_err(encode_words)?;
        Ok(())
    }

    fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, BoxError> {
        let decoded = ::bincode::serde::decode_from_slice(body, config()).map_err(decode_words)?;
        Ok(whole(body, decoded)?)
    }
}

/// Appends the value to `bytes`, which stay within `limit`.
pub(super) fn encode<T: Serialize>(value: &T, bytes: Vec<u8>, limit: usize) -> Result<Encoded, String> {
    let elements = Elements::of_bytes(0);
    let guarded = Guarded { inner: value, limits: Limits::new(&elements) };
    let mut writer = Bounded { len: bytes.len(), bytes, limit, elements: &elements };
    ::bincode::serde::encode_into_writer(guarded, &mut writer, config()).map_err(encode_words)?;
    Ok(Encoded { bytes: writer.bytes, len: writer.len })
}

/// The value that `body` is.
pub(super) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    let elements = Elements::of_bytes(body.len());
    let guarded = Guarded { inner: PhantomData::<T>, limits: Limits::new(&elements) };
    let decoded = ::bincode::serde::seed_decode_from_slice(guarded, body, config()).map_err(decode_words)?;
    whole(body, decoded)
}

/// The value, if it took all bytes.
fn whole<T>(body: &[u8], (value, used): (T, usize)) -> Result<T, String> {
    if used != body.len() {
        return Err(format!("{} bytes are left over", body.len() - used));
    }
    Ok(value)
}

/// Without bincode's own limit, which counts a number's bytes in memory: a list of many small ones would be
/// written and then not be read.
fn config() -> Configuration {
    standard()
}

/// Keeps what fits and counts the rest, so that an error can say how much too large the payload is.
struct Bounded<'a> {
    bytes: Vec<u8>,
    len: usize,
    limit: usize,
    elements: &'a Elements,
}

impl Writer for Bounded<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.elements.add_bytes(bytes.len());
        self.len = self.len.saturating_add(bytes.len());
        if self.len <= self.limit {
            self.bytes.extend_from_slice(bytes);
        }
        Ok(())
    }
}

fn encode_words(error: EncodeError) -> String {
    match error {
        EncodeError::OtherString(words) => words,
        EncodeError::Other(words) => words.into(),
        EncodeError::Serde(SerdeEncodeError::SequenceMustHaveLength) => {
            "a sequence or map in it does not say its length before its elements".into()
        }
        other => other.to_string(),
    }
}

fn decode_words(error: DecodeError) -> String {
    match error {
        DecodeError::OtherString(words) => words,
        DecodeError::Other(words) => words.into(),
        DecodeError::UnexpectedEnd { .. } => "it ends too early".into(),
        DecodeError::InvalidIntegerType { expected, found } => {
            format!("it holds a number of type {found:?} in place of {expected:?}").to_lowercase()
        }
        // Of enums of the user, serde says itself which variants there are.
        DecodeError::UnexpectedVariant { found, .. } => {
            format!("it holds {found} in place of none (0) or some (1)")
        }
        DecodeError::InvalidBooleanValue(found) => format!("it holds {found} in place of a bool"),
        DecodeError::InvalidCharEncoding(_) => "it holds a char that is not UTF-8".into(),
        DecodeError::Utf8 { inner } => format!("it holds a text that is not UTF-8: {inner}"),
        DecodeError::OutsideUsizeRange(found) => format!("it holds {found}, which is no usize here"),
        DecodeError::Serde(SerdeDecodeError::AnyNotSupported) => {
            "its type takes data of any form, which bincode cannot read: store that as text".into()
        }
        other => other.to_string(),
    }
}
