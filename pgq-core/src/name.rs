use std::fmt;
use std::sync::Arc;

use thiserror::Error;

/// The longest kind or queue name, in bytes.
pub const MAX_NAME_BYTES: usize = 100;

/// Why a text is no name of a kind, queue or schedule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{name:?} is not a valid {what}: use 1 to {MAX_NAME_BYTES} of a-z, A-Z, 0-9, '_', '-', '.', ':' and '/'"
)]
#[non_exhaustive]
pub struct NameError {
    /// "kind", "queue name" or "schedule name".
    pub what: &'static str,
    /// The text, cut to its first 120 characters.
    pub name: String,
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Checks the text: 1 to [`MAX_NAME_BYTES`] ASCII letters, digits and `_ - . : /`.
            pub fn new(name: &str) -> Result<Self, NameError> {
                check(name, $what).map(|()| Self(name.into()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$type> for Arc<str> {
            fn from(name: $type) -> Self {
                name.0
            }
        }
    };
}

name!(
    /// The stable name of a job's type.
    Kind,
    "kind"
);
name!(
    /// The name of a queue: a lane that runners claim from.
    QueueName,
    "queue name"
);
name!(
    /// The name of a schedule.
    ScheduleName,
    "schedule name"
);

fn check(name: &str, what: &'static str) -> Result<(), NameError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-.:/".contains(&b);
    if (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(NameError { what, name: name.chars().take(120).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_once_at_the_door() {
        for good in ["a", "send_welcome", "Mail/eu-west.1:high", &"x".repeat(100)] {
            assert_eq!(QueueName::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "a b", "o'brien", "\"q\"", "nul\0", "naïve", &"x".repeat(101)] {
            let error = Kind::new(bad).unwrap_err().to_string();
            assert!(error.contains("is not a valid kind: use 1 to 100"), "{error}");
        }
    }
}
