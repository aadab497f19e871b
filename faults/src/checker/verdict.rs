use std::collections::BTreeMap;

use super::Cause;
use crate::history::{Id, Micros, Number};

/// How many findings of a sort are told in words; all are counted.
const MAX_TOLD: usize = 20;

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// Enqueues that were acknowledged.
    pub jobs: u64,
    /// Enqueues of which nobody knows whether they were committed.
    pub unknown: u64,
    /// Jobs that were acknowledged and never ended.
    pub lost: u64,
    /// Those that may be lost by the rules of the scenario: all of them by their numbers and ids.
    pub lost_with_reason: Vec<(Number, Id)>,
    /// Runs and rows that should not be.
    pub unexpected: u64,
    /// Repetitions, by their cause.
    pub explained: BTreeMap<Cause, u64>,
    /// Repetitions without one.
    pub unexplained: u64,
    /// Leases of one job that overlapped.
    pub overlaps: u64,
    /// Runs of one job that were under way at a time, the earlier one's lease having ended.
    pub overlapping_runs: u64,
    /// Jobs that were discarded since they were aboard of three crashes.
    pub discarded_after_crashes: u64,
    /// The longest time from a fault until a job that it met began again.
    pub recovery: Micros,
    /// What is wrong, in words.
    pub findings: Vec<String>,
}

impl Verdict {
    /// How many repetitions have a cause.
    pub fn duplicates_explained(&self) -> u64 {
        self.explained.values().sum()
    }

    /// Whether everything is as promised.
    pub fn is_good(&self) -> bool {
        self.lost + self.unexpected + self.unexplained + self.overlaps == 0
    }

    /// Adds what was found in another part of the jobs.
    pub fn add(&mut self, other: Self) {
        self.jobs += other.jobs;
        self.unknown += other.unknown;
        self.lost += other.lost;
        self.lost_with_reason.extend(other.lost_with_reason);
        self.unexpected += other.unexpected;
        self.unexplained += other.unexplained;
        self.overlaps += other.overlaps;
        self.overlapping_runs += other.overlapping_runs;
        self.discarded_after_crashes += other.discarded_after_crashes;
        self.recovery = self.recovery.max(other.recovery);
        for (cause, count) in other.explained {
            *self.explained.entry(cause).or_default() += count;
        }
        other.findings.into_iter().for_each(|finding| self.tell(finding));
    }

    pub(super) fn explained(&mut self, cause: Cause) {
        *self.explained.entry(cause).or_default() += 1;
    }

    pub(super) fn lost(&mut self, what: String) {
        self.lost += 1;
        self.tell(what);
    }

    /// Something that should not be.
    pub fn unexpected(&mut self, what: String) {
        self.unexpected += 1;
        self.tell(what);
    }

    pub(super) fn unexplained(&mut self, what: String) {
        self.unexplained += 1;
        self.tell(what);
    }

    pub(super) fn overlap(&mut self, what: String) {
        self.overlaps += 1;
        self.tell(what);
    }

    fn tell(&mut self, finding: String) {
        if self.findings.len() < MAX_TOLD {
            self.findings.push(finding);
        }
    }
}
