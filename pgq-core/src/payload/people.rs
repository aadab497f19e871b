//! What is made of a payload by way of JSON: what people see, what they search by, and the keys of unique jobs.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::guard::{Elements, Guarded, Limits};
use super::{Encodable, PayloadError};
use crate::{Job, MAX_PAYLOAD_BYTES, UniqueKey};

/// How much JSON the fields named by `index` may be, in bytes: 1 KiB. It goes wherever the job's row goes.
pub const MAX_INDEX_BYTES: usize = 1024;

/// What stands for what is sensitive.
const MASK: &str = "***";

/// Writes a field that is sensitive.
pub fn mask<T: ?Sized, S: Serializer>(_: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(MASK)
}

/// The chosen fields of a job.
pub fn index<J: Job, T: Serialize>(fields: &T) -> Result<Option<Map<String, Value>>, PayloadError> {
    let value = to_value::<J, T>(fields, "the index")?;
    let bytes = value.to_string().len();
    if bytes > MAX_INDEX_BYTES {
        return Err(PayloadError::IndexTooLarge { kind: J::KIND, bytes });
    }
    match value {
        Value::Object(map) => Ok(Some(map)),
        _ => Ok(None),
    }
}

/// The key that the chosen fields of a job make.
pub fn unique_key<J: Job, T: Serialize>(fields: &T) -> Result<Option<UniqueKey>, PayloadError> {
    let what = "the unique key";
    let value = to_value::<J, T>(fields, what)?;
    let key = UniqueKey::of(J::KIND, &value).map_err(|source| PayloadError::Json {
        kind: J::KIND,
        what,
        source,
    })?;
    Ok(Some(key))
}

/// The key that all fields of a job make.
pub fn whole_unique_key<J: Job>(job: &J) -> Result<Option<UniqueKey>, PayloadError> {
    unique_key::<J, _>(&Encodable(job))
}

/// A job as people see it.
pub(crate) fn show<J: Job>(job: &J) -> Result<Value, PayloadError> {
    let elements = Elements::of_bytes(MAX_PAYLOAD_BYTES);
    serde_json::to_value(Guarded { inner: &Shown(job), limits: Limits::new(&elements) })
        .map_err(|source| PayloadError::Json { kind: J::KIND, what: "the view", source })
}

/// A number that is not finite has no form in JSON and would be the same as none.
fn to_value<J: Job, T: Serialize>(value: &T, what: &'static str) -> Result<Value, PayloadError> {
    let elements = Elements::of_bytes(MAX_PAYLOAD_BYTES);
    serde_json::to_value(Guarded { inner: value, limits: Limits::new(&elements).finite() })
        .map_err(|source| PayloadError::Json { kind: J::KIND, what, source })
}

struct Shown<'a, J>(&'a J);

impl<J: Job> Serialize for Shown<'_, J> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.__pgq_show(serializer)
    }
}
