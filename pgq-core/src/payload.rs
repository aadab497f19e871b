mod codec;
mod guard;
pub(crate) mod stored;

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::Job;
pub use stored::Stored;

/// The largest encoded payload that is accepted at enqueue, in bytes: 1 MiB. Larger data belongs in a table
/// or a file that the job names.
pub const MAX_PAYLOAD_BYTES: usize = 1 << 20;

/// The first byte of a payload names its codec.
const BINCODE: u8 = 1;

/// Why a payload could not be encoded or decoded.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// The encoded payload is over the limit.
    #[error(
        "the payload of this {kind} job is {bytes} bytes, over the limit of {MAX_PAYLOAD_BYTES}: \
         store the data elsewhere and enqueue its key"
    )]
    TooLarge {
        /// The kind of the job.
        kind: &'static str,
        /// The encoded size.
        bytes: usize,
    },
    /// The value cannot be encoded.
    #[error("cannot encode the payload of this {kind} job")]
    Encode {
        /// The kind of the job.
        kind: &'static str,
        /// What the codec says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The bytes are no payload of this type.
    #[error("cannot decode the payload of this {kind} job: {reason}")]
    Decode {
        /// The kind of the job.
        kind: &'static str,
        /// What the codec says.
        reason: String,
    },
    /// The fields of the type have changed since, and its version has not.
    #[error(
        "version {version} of the payload of this {kind} job has the shape {expected} in this program and was stored \
         in the shape {stored}: set `version = {next}` on the type and `upcast_from` to a copy of the type as it was; \
         the stored payload is kept as it is",
        next = i32::from(*.version) + 1
    )]
    Shape {
        /// The kind of the job.
        kind: &'static str,
        /// The version of both.
        version: i16,
        /// The shape of the type that wrote it.
        stored: i32,
        /// The shape of the type in this program.
        expected: i32,
    },
    /// The type does not read that version.
    #[error(
        "the payload of this {kind} job has version {version}, and this program reads {}: {}; the stored payload is \
         kept as it is",
        reads.iter().map(i16::to_string).collect::<Vec<_>>().join(", "),
        if reads.iter().all(|read| read < version) {
            "run it by the newer program that wrote it".to_owned()
        } else {
            format!("extend the chain of `upcast_from` down to version {version}")
        }
    )]
    Version {
        /// The kind of the job.
        kind: &'static str,
        /// The version of the payload.
        version: i16,
        /// The versions that the type reads, the newest first.
        reads: Vec<i16>,
    },
    /// The payload is an older version that was read, and the newer type cannot be made of it.
    #[error("cannot make version {to} of the payload of this {kind} job of version {from}")]
    Upcast {
        /// The kind of the job.
        kind: &'static str,
        /// The older version.
        from: i16,
        /// The newer version.
        to: i16,
        /// What the conversion says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Encodes a job: one byte that names the codec, then the body.
///
/// # Errors
/// A payload over [`MAX_PAYLOAD_BYTES`], or a value that bincode cannot encode or that is beyond the limits of
/// [`decode`].
pub fn encode<J: Job>(job: &J) -> Result<Vec<u8>, PayloadError> {
    let encoded = codec::encode(&Encodable(job), vec![BINCODE], MAX_PAYLOAD_BYTES)
        .map_err(|words| PayloadError::Encode { kind: J::KIND, source: words.into() })?;
    if encoded.len > MAX_PAYLOAD_BYTES {
        return Err(PayloadError::TooLarge { kind: J::KIND, bytes: encoded.len });
    }
    Ok(encoded.bytes)
}

/// Decodes what [`encode`] made of this version of the type; [`Stored::decode`] reads older ones as well.
///
/// Bytes that it did not make give an error, never a panic. What that takes in
/// time, memory and stack is limited by how many bytes there are, whatever lengths they claim.
///
/// # Errors
/// An unknown codec, bytes that are no value of this type, bytes left over, a value that nests too deep, or one
/// with too many elements that take no bytes; the reason names the limit.
pub fn decode<J: Job>(bytes: &[u8]) -> Result<J, PayloadError> {
    let failed = |reason: String| PayloadError::Decode { kind: J::KIND, reason };
    let (body, codec) = match bytes {
        [] => return Err(failed("it is empty".into())),
        [codec, body @ ..] => (body, *codec),
    };
    if codec != BINCODE {
        return Err(failed(format!("it was written by codec {codec}, which this program does not have")));
    }
    let (Decodable(job), used) = catch_unwind(AssertUnwindSafe(|| codec::decode::<Decodable<J>>(body)))
        .map_err(|_| failed("its decoding panicked".into()))?
        .map_err(failed)?;
    if used != body.len() {
        return Err(failed(format!("{} bytes are left over", body.len() - used)));
    }
    Ok(job)
}

struct Encodable<'a, J>(&'a J);

impl<J: Job> Serialize for Encodable<'_, J> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.__pgq_serialize(serializer)
    }
}

struct Decodable<J>(J);

impl<'de, J: Job> Deserialize<'de> for Decodable<J> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        J::__pgq_deserialize(deserializer).map(Self)
    }
}
