//! Codecs of users, within the limits of `guard`. How many bytes they have read or written so far is theirs to know,
//! so every value may have the elements of the largest payload.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

use super::{BoxError, Codec, Encoded};
use crate::MAX_PAYLOAD_BYTES;
use crate::payload::guard::{Elements, Guarded, Limits};

pub(super) fn encode<C: Codec, T: Serialize>(value: &T, mut bytes: Vec<u8>) -> Result<Encoded, BoxError> {
    let elements = Elements::of_bytes(MAX_PAYLOAD_BYTES);
    C::encode(&Guarded { inner: value, limits: Limits::new(&elements) }, &mut bytes)?;
    Ok(Encoded { len: bytes.len(), bytes })
}

pub(super) fn decode<C: Codec, T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    C::decode::<Within<T>>(body).map(|Within(value)| value).map_err(|error| error.to_string())
}

/// A value that reads itself within the limits.
struct Within<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Within<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let elements = Elements::of_bytes(MAX_PAYLOAD_BYTES);
        T::deserialize(Guarded { inner: deserializer, limits: Limits::new(&elements) }).map(Self)
    }
}
