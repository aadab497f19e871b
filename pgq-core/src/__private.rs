//! What the derive's output names. Not part of the public API.

use ::serde::{Deserializer, Serializer};

pub use inventory;
pub use serde;
pub use serde_json;

// Without the derives of the same names, for pgq-postgres to pair with its own.
pub use crate::job::Job as JobTrait;
pub use crate::shape::Shape as ShapeTrait;

#[cfg(feature = "bincode")]
pub use crate::payload::codec::Bincode;
pub use crate::payload::codec::{DefaultCodec, Json, has_custom_tag};
pub use crate::payload::people::{index, mask, unique_key, whole_unique_key};
pub use crate::payload::stored::Older;
pub use crate::registry::{Registration, SourceLine};
pub use crate::schedule::{Declared, DeclaredJob, DefaultPayload};
pub use crate::shape::{NoShape, Probe, mix};

/// Stands in for what serde's derive writes, functions of the shadow type itself, where it reports a mistake
/// instead: without this, the missing functions would be two errors more, about a type that the user never wrote.
pub trait SerdeMistake {
    fn serialize<J, S: Serializer>(_: &J, _: S) -> Result<S::Ok, S::Error> {
        unreachable!()
    }

    fn deserialize<'de, J, D: Deserializer<'de>>(_: D) -> Result<J, D::Error> {
        unreachable!()
    }
}

impl<T> SerdeMistake for T {}
