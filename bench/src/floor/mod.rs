//! The bare SQL: what has to be done in any case, in as many sessions as the design was measured with, and nothing else.

mod claim;
mod drain;
mod paced;

pub(crate) use claim::FIRST_WORDS;
pub(crate) use drain::{Settle, drain};
pub(crate) use paced::Consumer;

/// How many sessions claim at once, unless a workload says otherwise.
pub(crate) const CLAIMERS: u64 = 2;

/// How many jobs a claim takes, unless told: about what a runner's do.
pub(crate) const BATCH: u32 = 300;
