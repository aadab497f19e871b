//! A type that is no job is used as one.

use pgq_core::encode;

struct SendWelcome;

fn main() {
    let _ = encode(&SendWelcome);
}
