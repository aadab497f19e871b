use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The waits of a job that says nothing else: 1, 10 and 30 minutes, so four attempts in all.
pub const DEFAULT_WAITS: [Duration; 3] =
    [Duration::from_secs(60), Duration::from_secs(600), Duration::from_secs(1800)];

/// How long a job waits after a failed attempt.
///
/// ```
/// # use {pgq_core::Retry, std::time::Duration};
/// assert_eq!(Retry::default().wait(2, 0.0), Duration::from_secs(600));
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Retry {
    /// The n-th wait after the n-th attempt; the last one again when there are more attempts than waits.
    Waits(Cow<'static, [Duration]>),
    /// Always the same wait.
    Fixed(Duration),
    /// `base` times `factor` to the power of the attempts before this one, at most `max`.
    Exponential {
        /// The wait after the first attempt.
        base: Duration,
        /// What each further wait is multiplied by.
        factor: f64,
        /// The longest wait.
        max: Duration,
        /// The share of the wait, 0 to 1, that is varied at random, so that jobs that failed together do
        /// not come back together.
        jitter: f64,
    },
}

impl Default for Retry {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Retry {
    /// [`DEFAULT_WAITS`].
    pub const DEFAULT: Self = Self::Waits(Cow::Borrowed(&DEFAULT_WAITS));

    /// The wait after that attempt (1 = first). `random` is a number from 0 up to 1 that the caller draws.
    ///
    /// Saturates; never panics.
    pub fn wait(&self, attempt: i16, random: f64) -> Duration {
        let before = usize::try_from(attempt.saturating_sub(1)).unwrap_or(0);
        match self {
            Self::Waits(waits) => waits.get(before).or(waits.last()).copied().unwrap_or(Duration::ZERO),
            Self::Fixed(wait) => *wait,
            Self::Exponential { base, .. } if base.is_zero() => Duration::ZERO,
            Self::Exponential { base, factor, max, jitter } => {
                let exponent = i32::try_from(before).unwrap_or(i32::MAX);
                let grown = base.as_secs_f64() * factor.powi(exponent);
                let varied = grown.min(max.as_secs_f64()) * (1.0 - jitter.clamp(0.0, 1.0) * random);
                // A float of many seconds is not exact, and may lie above the maximum that it was made from.
                Duration::try_from_secs_f64(varied).unwrap_or(*max).min(*max)
            }
        }
    }

    /// How many attempts these waits make when nothing else says it: one more than there are waits.
    pub fn natural_attempts(&self) -> Option<i16> {
        match self {
            Self::Waits(waits) => Some(i16::try_from(waits.len() + 1).unwrap_or(i16::MAX)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn waits_follow_the_list_and_then_repeat_its_last() {
        let waits = Retry::default();
        let seen: Vec<_> = (0..6).map(|attempt| waits.wait(attempt, 0.5)).collect();
        assert_eq!(seen, [S(60), S(60), S(600), S(1800), S(1800), S(1800)]);
        assert_eq!(Retry::Waits(Cow::Borrowed(&[])).wait(1, 0.0), S(0));
        assert_eq!(waits.natural_attempts(), Some(4));
    }

    #[test]
    fn exponential_grows_stops_at_its_maximum_and_survives_nonsense() {
        let retry = Retry::Exponential { base: S(1), factor: 2.0, max: S(600), jitter: 0.1 };
        assert_eq!(retry.wait(1, 0.0), S(1));
        assert_eq!(retry.wait(4, 0.0), S(8));
        assert_eq!(retry.wait(i16::MAX, 0.0), S(600));
        assert_eq!(retry.wait(4, 0.5), Duration::from_millis(7600));
        let nonsense = Retry::Exponential { base: S(1), factor: f64::NAN, max: S(9), jitter: -4.0 };
        assert!(nonsense.wait(3, 2.0) <= S(9));
    }
}
