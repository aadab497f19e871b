use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// That no two jobs of the same key exist at a time, and what an enqueue does where one exists.
///
/// ```
/// # use {pgq_core::{OnConflict, Unique}, std::time::Duration};
/// let at_most_hourly = Unique::while_unfinished().period(Duration::from_secs(3600)).on_conflict(OnConflict::Error);
/// # let _ = at_most_hourly;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unique {
    held_while: HeldWhile,
    period: Option<Duration>,
    on_conflict: OnConflict,
}

/// How long a job holds its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HeldWhile {
    /// Until a runner takes it for the first time: one may wait while another runs.
    Queued,
    /// Until it has come to its end.
    Unfinished,
}

/// What an enqueue does that finds its key held by another job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnConflict {
    /// Nothing: the other job stays as it is.
    Keep,
    /// Gives the other job its payload, if that has not been claimed yet.
    Replace,
    /// Moves the other job to its time, if that has not been claimed yet.
    Debounce,
    /// Fails.
    Error,
}

impl HeldWhile {
    /// Its name in attributes and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Unfinished => "unfinished",
        }
    }
}

impl OnConflict {
    /// Its name in attributes and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Replace => "replace",
            Self::Debounce => "debounce",
            Self::Error => "error",
        }
    }
}

impl Unique {
    /// Unique until a runner takes the job for the first time.
    pub const fn while_queued() -> Self {
        Self { held_while: HeldWhile::Queued, period: None, on_conflict: OnConflict::Keep }
    }

    /// Unique until the job has come to its end.
    pub const fn while_unfinished() -> Self {
        Self { held_while: HeldWhile::Unfinished, period: None, on_conflict: OnConflict::Keep }
    }

    /// At most for that long from the enqueue on.
    #[must_use]
    pub const fn period(self, period: Duration) -> Self {
        Self { period: Some(period), ..self }
    }

    /// What an enqueue does that finds the key held; it keeps the other job unless set.
    #[must_use]
    pub const fn on_conflict(self, on_conflict: OnConflict) -> Self {
        Self { on_conflict, ..self }
    }

    /// How long a job holds its key.
    pub const fn held_while(&self) -> HeldWhile {
        self.held_while
    }

    /// After which time the key is free in any case.
    pub const fn longest(&self) -> Option<Duration> {
        self.period
    }

    /// What an enqueue does that finds the key held.
    pub const fn conflict(&self) -> OnConflict {
        self.on_conflict
    }
}

/// What makes two jobs the same: a hash of their kind and of what was chosen of their fields. It depends on neither
/// codec, version nor queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UniqueKey([u8; 32]);

impl UniqueKey {
    /// The key of that value among the jobs of a kind: SHA-256 of the kind, a zero byte, and the value as JSON with
    /// all keys in order.
    ///
    /// # Errors
    /// The value has no JSON form, as a map whose keys are no texts.
    pub fn of<T: Serialize + ?Sized>(kind: &str, value: &T) -> Result<Self, serde_json::Error> {
        let mut value = serde_json::to_value(value)?;
        // Maps keep their order if any crate of the program switches that on.
        value.sort_all_objects();
        Ok(Self::of_json(kind, &value))
    }

    fn of_json(kind: &str, value: &Value) -> Self {
        let hash = Sha256::new().chain_update(kind).chain_update([0]).chain_update(value.to_string());
        Self(hash.finalize().into())
    }

    /// The bytes as they stand in the database.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The bytes as hexadecimal digits.
    pub fn to_hex(&self) -> String {
        const DIGITS: [char; 16] =
            ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
        self.0
            .iter()
            .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_key_depends_on_kind_and_value_and_on_no_order_of_maps() {
        let key = |kind, pairs: &[(&str, i32)]| {
            let map: HashMap<_, _> = pairs.iter().copied().collect();
            UniqueKey::of(kind, &map).unwrap()
        };
        assert_eq!(key("a", &[("x", 1), ("y", 2)]), key("a", &[("y", 2), ("x", 1)]));
        assert_ne!(key("a", &[("x", 1)]), key("b", &[("x", 1)]));
        assert_ne!(key("a", &[("x", 1)]), key("a", &[("x", 2)]));
        assert!(UniqueKey::of("a", &HashMap::from([((1, 2), 3)])).is_err());
    }
}
