//! What the derive's output names. Not part of the public API.

pub use inventory;
pub use serde;

pub use crate::job::Job as JobTrait; // without the derive of the same name, for pgq-postgres to pair with its own
pub use crate::registry::{Registration, SourceLine};
