#[cfg(feature = "bincode")]
mod bincode;
mod custom;
mod json;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Job;

#[cfg(feature = "bincode")]
pub use self::bincode::Bincode;
pub use self::json::Json;

/// The codec of jobs that name none.
#[cfg(feature = "bincode")]
pub type DefaultCodec = Bincode;
/// The codec of jobs that name none.
#[cfg(not(feature = "bincode"))]
pub type DefaultCodec = Json;

/// Any error, as codecs and conversions return it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The first byte of a payload in bincode.
const BINCODE: u8 = 1;
/// The first byte of a payload in JSON.
const JSON: u8 = 2;
/// The tags from here on are the users'.
const FIRST_CUSTOM: u8 = 128;

/// How payloads become bytes. Those of the library are `"bincode"` and `"json"`; a type names one of its own by
/// `#[job(codec = MyCodec)]`.
///
/// What it is given counts how deep and how long it gets, and fails beyond the limits of every payload. A codec that is
/// not the type's own cannot be read, so keep old ones until no job of theirs waits.
///
/// ```
/// # use pgq_core::{BoxError, Codec, Json};
/// # use serde::{Serialize, de::DeserializeOwned};
/// /// JSON, written backwards.
/// struct Backwards;
///
/// impl Codec for Backwards {
///     const TAG: u8 = 128;
///     const SELF_DESCRIBING: bool = true;
///
///     fn encode<T: Serialize>(value: &T, out: &mut Vec<u8>) -> Result<(), BoxError> {
///         let start = out.len();
///         Json::encode(value, out)?;
///         out[start..].reverse();
///         Ok(())
///     }
///
///     fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, BoxError> {
///         Json::decode(&body.iter().rev().copied().collect::<Vec<_>>())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a codec",
    label = "not a codec",
    note = "write `impl Codec for {Self}`, or use `codec = \"json\"` or `codec = \"bincode\"`, in quotes"
)]
pub trait Codec {
    /// The first byte of its payloads, by which they are known: 128 to 255, another for every codec. It must never
    /// change.
    const TAG: u8;

    /// Whether payloads carry the names of their fields, so that one that was written by other fields can be read or
    /// refused by itself. Payloads of a codec that does not are refused where the [`Shape`](crate::Shape) of
    /// the type has changed.
    const SELF_DESCRIBING: bool = false;

    /// Appends the value to `out`.
    ///
    /// # Errors
    /// A value that it cannot write.
    fn encode<T: Serialize>(value: &T, out: &mut Vec<u8>) -> Result<(), BoxError>;

    /// Reads what [`encode`](Self::encode) appended.
    ///
    /// # Errors
    /// Bytes that are not one such value and nothing more.
    fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, BoxError>;
}

/// What became of a value.
pub(super) struct Encoded {
    /// All of it, if it is within the limit.
    pub(super) bytes: Vec<u8>,
    /// How many bytes it takes, also if that is more than the limit.
    pub(super) len: usize,
}

/// The tag and the value, within the limits of every payload.
pub(super) fn encode<C: Codec, T: Serialize>(value: &T, limit: usize) -> Result<Encoded, BoxError> {
    match C::TAG {
        #[cfg(feature = "bincode")]
        BINCODE => Ok(bincode::encode(value, vec![BINCODE], limit)?),
        JSON => Ok(json::encode(value, vec![JSON], limit)?),
        tag => custom::encode::<C, T>(value, vec![tag]),
    }
}

/// The value of a body that was written with that tag: by the type's codec, or by one of the library's.
pub(super) fn decode<C: Codec, T: DeserializeOwned>(tag: u8, body: &[u8]) -> Result<T, String> {
    match tag {
        #[cfg(feature = "bincode")]
        BINCODE => bincode::decode(body),
        #[cfg(not(feature = "bincode"))]
        BINCODE => {
            Err("it is in bincode, which this program lacks: build it with the feature `bincode` of pgq"
                .into())
        }
        JSON => json::decode(body),
        _ if tag == C::TAG => custom::decode::<C, T>(body),
        _ => Err(format!(
            "it was written by codec {tag}, which is neither this type's nor one of the library's"
        )),
    }
}

/// Whether payloads with that tag name their fields.
pub(super) fn self_describing<C: Codec>(tag: u8) -> bool {
    match tag {
        BINCODE => false,
        JSON => true,
        _ => tag == C::TAG && C::SELF_DESCRIBING,
    }
}

/// Whether the codec of a type leaves the library its tags.
pub const fn has_custom_tag<J: Job>() -> bool {
    J::Codec::TAG >= FIRST_CUSTOM
}
