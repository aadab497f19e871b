use std::collections::HashSet;
use std::sync::Mutex;

use crate::{Guard, Job};

/// The protocol with its limits, and maybe without one of its guards.
#[derive(Debug, Clone)]
pub struct Protocol {
    /// Attempts of each job at most.
    pub max_attempts: Vec<u8>,
    /// Crashes at which a job is discarded.
    pub max_crashes: u8,
    /// Jobs that a runner has in hand at most.
    pub slots: u8,
    /// The job that completes in the transaction of its effect; it has a lease of its own.
    pub transactional: Option<Job>,
    /// The jobs that somebody may cancel.
    pub cancellable: Vec<Job>,
    /// The jobs that may snooze.
    pub snoozing: Vec<Job>,
    /// A job that no rescue can move.
    pub stuck: Option<Job>,
    /// How many faults there may be; none: any number.
    pub faults: Option<u8>,
    /// The guard that is missing.
    pub without: Option<Guard>,
    /// States from which recovery is known to succeed.
    pub recovering: Memory,
}

/// States, by their hashes. A clone remembers none: it may be given other limits.
#[derive(Debug, Default)]
pub struct Memory(pub(crate) Mutex<HashSet<u64>>);

impl Clone for Memory {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Protocol {
    /// That many jobs, which may be tried twice and be aboard one crash; without a transactional one.
    #[must_use]
    pub fn new(jobs: usize) -> Self {
        Self {
            max_attempts: vec![2; jobs],
            max_crashes: 2,
            slots: 2,
            transactional: None,
            cancellable: Vec::new(),
            snoozing: Vec::new(),
            stuck: None,
            faults: None,
            without: None,
            recovering: Memory::default(),
        }
    }
}
