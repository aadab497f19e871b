pub(crate) mod codec;
mod guard;
pub(crate) mod people;
pub(crate) mod stored;

use std::any::TypeId;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{LazyLock, PoisonError, RwLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::Job;
#[cfg(feature = "bincode")]
pub use codec::Bincode;
pub use codec::{BoxError, Codec, Json};
pub use people::MAX_INDEX_BYTES;
pub use stored::Stored;

/// The largest encoded payload that is accepted at enqueue, in bytes: 1 MiB. Larger data belongs in a table
/// or a file that the job names.
pub const MAX_PAYLOAD_BYTES: usize = 1 << 20;

/// In place of a reason that could quote what is sensitive.
const UNTOLD: &str = "it is no value of the type, of which no more is told because it has sensitive fields";

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
    /// The value was encoded and what that made cannot be decoded.
    #[error("the payload of this {kind} job could be enqueued but not read back: {reason}; {fix}")]
    Unreadable {
        /// The kind of the job.
        kind: &'static str,
        /// What the codec says.
        reason: String,
        /// What to change.
        fix: &'static str,
    },
    /// The fields to search by are over the limit.
    #[error(
        "the fields that `index` names are {bytes} bytes of JSON in this {kind} job, over the limit of \
         {MAX_INDEX_BYTES}: index what is short, such as a key"
    )]
    IndexTooLarge {
        /// The kind of the job.
        kind: &'static str,
        /// The size of the JSON.
        bytes: usize,
    },
    /// Something that is made of the value by way of JSON cannot be made.
    #[error("cannot make {what} of this {kind} job")]
    Json {
        /// The kind of the job.
        kind: &'static str,
        /// The index, the unique key or the view for people.
        what: &'static str,
        /// What serde says.
        source: serde_json::Error,
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

/// Encodes a job: the tag of its codec, one byte, then the body.
///
/// # Errors
/// A payload over [`MAX_PAYLOAD_BYTES`], or a value that the type's codec cannot encode or that is beyond the limits of
/// [`decode`]. The first payload of each type in a process is decoded again, so that a type which its codec cannot read
/// back is refused at its first enqueue.
pub fn encode<J: Job>(job: &J) -> Result<Vec<u8>, PayloadError> {
    let encoded = codec::encode::<J::Codec, _>(&Encodable(job), MAX_PAYLOAD_BYTES)
        .map_err(|source| PayloadError::Encode { kind: J::KIND, source })?;
    if encoded.len > MAX_PAYLOAD_BYTES {
        return Err(PayloadError::TooLarge { kind: J::KIND, bytes: encoded.len });
    }
    if is_new(TypeId::of::<J>()) {
        read_back::<J>(&encoded.bytes)?;
        remember(TypeId::of::<J>());
    }
    Ok(encoded.bytes)
}

/// The types of which a payload was read back in this process.
static READ_BACK: LazyLock<RwLock<HashSet<TypeId>>> = LazyLock::new(RwLock::default);

fn is_new(job: TypeId) -> bool {
    // A set is whole whoever panicked beside it.
    !READ_BACK.read().unwrap_or_else(PoisonError::into_inner).contains(&job)
}

fn remember(job: TypeId) {
    READ_BACK.write().unwrap_or_else(PoisonError::into_inner).insert(job);
}

/// Whether what was encoded can be decoded. The values are not compared: a map may come back in another order, and a
/// type may tidy up what it reads.
fn read_back<J: Job>(bytes: &[u8]) -> Result<(), PayloadError> {
    let fix = if J::Codec::SELF_DESCRIBING {
        "store the value in another form"
    } else {
        "set `codec = \"json\"` on the type, or store the value in another form"
    };
    match decode::<J>(bytes) {
        Ok(_) => Ok(()),
        Err(PayloadError::Decode { kind, reason }) => Err(PayloadError::Unreadable { kind, reason, fix }),
        Err(other) => Err(other),
    }
}

/// Decodes what [`encode`] made of this version of the type; [`Stored::decode`] reads older ones as well.
///
/// Bytes that it did not make give an error, never a panic. What that takes in
/// time, memory and stack is limited by how many bytes there are, whatever lengths they claim.
///
/// # Errors
/// A codec that is neither the type's nor the library's, bytes that are no value of this type, bytes left over, a value that nests too deep, or one
/// with too many elements that take no bytes; the reason names the limit.
pub fn decode<J: Job>(bytes: &[u8]) -> Result<J, PayloadError> {
    let failed = |reason: String| PayloadError::Decode { kind: J::KIND, reason };
    let reading = |reason: String| failed(if J::__PGQ_SENSITIVE { UNTOLD.into() } else { reason });
    let [tag, body @ ..] = bytes else { return Err(failed("it is empty".into())) };
    let decoding = AssertUnwindSafe(|| codec::decode::<J::Codec, Decodable<J>>(*tag, body));
    let Decodable(job) =
        catch_unwind(decoding).map_err(|_| failed("its decoding panicked".into()))?.map_err(reading)?;
    Ok(job)
}

pub(crate) struct Encodable<'a, J>(pub(crate) &'a J);

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
