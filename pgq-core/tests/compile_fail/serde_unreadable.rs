//! serde attributes with which a payload could not be read back.

use pgq_core::Job;

#[derive(Job)]
struct Fields {
    #[serde(skip_serializing_if = "Option::is_none")]
    a: Option<u8>,
    #[serde(flatten)]
    b: (),
    #[serde(skip_serializing)]
    c: u8,
    #[serde(skip_serializing, skip_deserializing)]
    fine: u8,
}

#[derive(Job)]
#[serde(tag = "type")]
enum Tagged {
    A,
}

#[derive(Job)]
#[serde(remote = "Tagged", untagged)]
enum Untagged {
    A,
}

#[derive(Job)]
enum Skips {
    #[serde(skip)]
    A,
    B,
}

#[derive(Job)]
#[serde]
struct Bare;

fn main() {}
