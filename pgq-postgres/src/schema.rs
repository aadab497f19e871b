use std::fmt;
use std::sync::{Arc, LazyLock};

use thiserror::Error;

use crate::sql::Statements;

/// The longest schema name, in bytes; leaves room for the names made from it within Postgres's 63.
pub const MAX_SCHEMA_BYTES: usize = 48;

/// The database schema that holds pgq's tables; `pgq` by default. Cheap to clone: make it once and keep it.
///
/// ```
/// # use pgq_postgres::Schema;
/// assert_eq!(Schema::default().name(), "pgq");
/// assert!(Schema::new("Robert'); drop table students").is_err());
/// # Ok::<(), pgq_postgres::SchemaError>(())
/// ```
#[derive(Clone)]
pub struct Schema(Arc<Inner>);

struct Inner {
    name: String,
    channel: String,
    statements: Statements,
}

/// Why a text is no schema name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{0:?} is not a valid schema name: use 1 to {MAX_SCHEMA_BYTES} of a-z, 0-9 and '_', \
     not starting with a digit or 'pg_'"
)]
pub struct SchemaError(String);

static DEFAULT: LazyLock<Schema> = LazyLock::new(|| Schema::of("pgq"));

impl Schema {
    /// A schema of that name: lower-case ASCII letters, digits and `_`, up to [`MAX_SCHEMA_BYTES`].
    ///
    /// # Errors
    /// Any other name.
    pub fn new(name: &str) -> Result<Self, SchemaError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        let valid = (1..=MAX_SCHEMA_BYTES).contains(&name.len())
            && name.bytes().all(allowed)
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && !name.starts_with("pg_");
        if valid { Ok(Self::of(name)) } else { Err(SchemaError(name.chars().take(80).collect())) }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    pub(crate) fn statements(&self) -> &Statements {
        &self.0.statements
    }

    /// The channel that wakes sleeping runners.
    pub(crate) fn channel(&self) -> &str {
        &self.0.channel
    }

    /// The key of an advisory lock of this schema. FNV-1a: the same in every version of every program.
    pub(crate) fn lock_key(&self, purpose: &str) -> i64 {
        let text = self.0.name.bytes().chain([0]).chain(purpose.bytes());
        let hash = text.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        hash.cast_signed()
    }

    fn of(name: &str) -> Self {
        Self(Arc::new(Inner {
            name: name.to_owned(),
            channel: format!("{name}.wake"),
            statements: Statements::for_schema(name),
        }))
    }
}

impl Default for Schema {
    fn default() -> Self {
        DEFAULT.clone()
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Schema").field(&self.0.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_need_quoting_are_refused() {
        for good in ["pgq", "jobs_2", "_x", &"a".repeat(48)] {
            assert_eq!(Schema::new(good).unwrap().name(), good);
        }
        for bad in ["", "Jobs", "a.b", "a\"b", "a'b", "nul\0", "9a", "pg_jobs", &"a".repeat(49)] {
            let message = Schema::new(bad).unwrap_err().to_string();
            assert!(message.contains("is not a valid schema name: use"), "{message}");
        }
    }
}
