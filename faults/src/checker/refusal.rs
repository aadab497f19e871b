//! Outcomes that the server refused.

use uuid::Uuid;

use super::ASYNCHRONOUS_COMMIT;
use crate::history::Micros;
use crate::timeline::{Process, Timeline};

/// A runner learns within this time that a crash of the server has undone its claim.
const UNDONE_BEFORE: Micros = 30_000_000;

/// Outcomes of a lease that a process could not record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// When the process heard of it.
    pub at: Micros,
    /// Which process.
    pub process: Process,
    /// Which lease.
    pub lease: Uuid,
    /// The server knows of its claim.
    pub claimed: bool,
    /// The server knows that something else than the runner's outcomes ended it, wholly or in part.
    pub taken: bool,
}

impl Refusal {
    /// An outcome may only be refused if its lease was taken away, by a rescuer or by its own runner that had lost sight of
    /// it; if a crash of the server has undone its claim; or if a crash right after it undid that it was taken away.
    pub fn has_cause(&self, timeline: &Timeline, unsynced: Option<Micros>) -> bool {
        let unsynced = unsynced.unwrap_or(ASYNCHRONOUS_COMMIT);
        match (self.taken, self.claimed) {
            (true, _) => true,
            (false, true) => timeline.crashed_between(self.at, self.at + unsynced),
            (false, false) => timeline.crashed_between(self.at.saturating_sub(UNDONE_BEFORE), self.at),
        }
    }
}
