use std::error::Error;
use std::fmt::{self, Write};
use std::time::Duration;

use crate::Retry;

/// What a handler returns. `?` converts any error, also `anyhow::Error`, a `String` or a `&str`.
pub type JobResult = Result<(), JobError>;

/// Why an attempt did not complete its job, and what should happen next.
///
/// ```
/// # use {pgq_core::{JobError, JobResult}, std::time::Duration};
/// fn charge(card: Option<&str>) -> JobResult {
///     let Some(card) = card else { return Err(JobError::discard("no card")) };
///     card.parse::<u64>()?; // an error: the job is retried by its policy
///     Err(JobError::snooze(Duration::from_secs(60)))
/// }
/// ```
#[derive(Debug)]
pub struct JobError {
    kind: ErrorKind,
    source: Box<dyn Error + Send + Sync>,
}

/// What should happen after a [`JobError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Retry by the policy, or discard when the attempts are spent.
    Retry,
    /// Retry after this time, or discard when the attempts are spent.
    RetryIn(Duration),
    /// Discard now.
    Discard,
    /// Run again after this time; no attempt is spent.
    Snooze(Duration),
    /// As `Retry`, and the whole queue pauses on every runner.
    SlowQueue,
    /// Put aside until somebody looks: this program cannot read the payload.
    Park,
}

impl JobError {
    /// A failed attempt with a retry after `wait` instead of the policy's.
    pub fn retry_in(wait: Duration, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: ErrorKind::RetryIn(wait), source: error.into() }
    }

    /// A final failure: no further attempt.
    pub fn discard(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: ErrorKind::Discard, source: error.into() }
    }

    /// Not now: runs again after `wait`. Spends no attempt and is no failure.
    pub fn snooze(wait: Duration) -> Self {
        Self { kind: ErrorKind::Snooze(wait), source: "snoozed".into() }
    }

    /// A failed attempt after which the whole queue pauses, on every runner: 100 ms, doubling to 60 s with
    /// each further one, until a job of the queue succeeds.
    pub fn slow_queue(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: ErrorKind::SlowQueue, source: error.into() }
    }

    #[doc(hidden)]
    pub fn park(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: ErrorKind::Park, source: error.into() }
    }

    /// The same error with a wait of its own in place of the policy's.
    pub(crate) fn after(self, wait: Duration) -> Self {
        Self { kind: ErrorKind::RetryIn(wait), ..self }
    }

    /// What should happen next.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The error and its sources, joined by `: `.
    pub fn chain(&self) -> String {
        let mut text = self.source.to_string();
        let mut source = self.source.source();
        while let Some(error) = source {
            // Writing to a String cannot fail.
            let _ = write!(text, ": {error}");
            source = error.source();
        }
        text
    }
}

// JobError itself is no `Error`: that is what lets `?` convert every type that is.
impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for JobError {
    fn from(error: E) -> Self {
        Self { kind: ErrorKind::Retry, source: error.into() }
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

/// What becomes of a job after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Complete,
    /// It runs again after a wait; the attempt is spent.
    Retry {
        /// The wait.
        after: Duration,
        /// The error chain.
        error: String,
        /// Whether the whole queue pauses.
        slow_queue: bool,
    },
    /// It has failed for good.
    Discard {
        /// The error chain.
        error: String,
        /// Whether the whole queue pauses.
        slow_queue: bool,
    },
    /// It runs again after a wait; no attempt is spent.
    Snooze {
        /// The wait.
        after: Duration,
    },
    /// It is put aside as it is, until somebody looks: this program cannot read its payload.
    Park {
        /// The error chain.
        error: String,
    },
    /// It goes back as if it had never been claimed.
    Release,
}

/// Decides what becomes of a job after that attempt (1 = first) of at most `max_attempts`. `random` is a
/// number from 0 up to 1 that the caller draws.
pub fn decide(result: JobResult, attempt: i16, max_attempts: i16, retry: &Retry, random: f64) -> Outcome {
    let Err(error) = result else { return Outcome::Complete };
    let slow_queue = error.kind == ErrorKind::SlowQueue;
    let after = match error.kind {
        ErrorKind::Snooze(after) => return Outcome::Snooze { after },
        ErrorKind::Discard => return Outcome::Discard { error: error.chain(), slow_queue },
        ErrorKind::Park => return Outcome::Park { error: error.chain() },
        ErrorKind::RetryIn(after) => after,
        ErrorKind::Retry | ErrorKind::SlowQueue => retry.wait(attempt, random),
    };
    let error = error.chain();
    if attempt >= max_attempts {
        Outcome::Discard { error, slow_queue }
    } else {
        Outcome::Retry { after, error, slow_queue }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(error: impl Into<JobError>, attempt: i16) -> Outcome {
        decide(Err(error.into()), attempt, 4, &Retry::DEFAULT, 0.0)
    }

    fn retry(seconds: u64, slow_queue: bool) -> Outcome {
        Outcome::Retry { after: Duration::from_secs(seconds), error: "e".into(), slow_queue }
    }

    #[test]
    fn every_ending_has_its_outcome() {
        assert_eq!(decide(Ok(()), 1, 4, &Retry::DEFAULT, 0.0), Outcome::Complete);
        assert_eq!(decided("e", 1), retry(60, false));
        assert_eq!(decided("e", 3), retry(1800, false));
        assert_eq!(decided("e", 4), Outcome::Discard { error: "e".into(), slow_queue: false });
        assert_eq!(decided(JobError::retry_in(Duration::from_secs(5), "e"), 1), retry(5, false));
        assert_eq!(decided(JobError::slow_queue("e"), 1), retry(60, true));
        assert_eq!(
            decided(JobError::discard("e"), 1),
            Outcome::Discard { error: "e".into(), slow_queue: false }
        );
        assert_eq!(decided(JobError::park("e"), 1), Outcome::Park { error: "e".into() });
        let snooze = JobError::snooze(Duration::from_secs(9));
        assert_eq!(decided(snooze, 4), Outcome::Snooze { after: Duration::from_secs(9) });
    }

    #[test]
    fn the_chain_names_every_source() {
        let parse = "x".parse::<i32>().unwrap_err();
        let io = std::io::Error::other(parse);
        assert_eq!(JobError::from(io).chain(), "invalid digit found in string");
    }
}
