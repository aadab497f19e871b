//! A codec takes a tag of the library's.

use pgq_core::{BoxError, Codec, Job, Json};

#[derive(Job)]
#[job(codec = Mine, enqueue_only)]
struct TagOfBincode;

#[derive(Job)]
#[job(codec = Json, enqueue_only)]
struct Unquoted;

struct Mine;

impl Codec for Mine {
    const TAG: u8 = 1;

    fn encode<T: serde::Serialize>(value: &T, out: &mut Vec<u8>) -> Result<(), BoxError> {
        Json::encode(value, out)
    }

    fn decode<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, BoxError> {
        Json::decode(body)
    }
}

fn main() {}
