//! The workloads, one a file. Each says what its cases are, and what each side of it does.

pub(crate) mod backlog;
#[cfg(feature = "bincode")]
pub(crate) mod decode;
pub(crate) mod drain;
pub(crate) mod enqueue_bulk;
pub(crate) mod enqueue_single;
pub(crate) mod many;
pub(crate) mod mixed;
pub(crate) mod pickup;
pub(crate) mod pinned;
pub(crate) mod retries;
pub(crate) mod steady;
pub(crate) mod transactional;
pub(crate) mod unique;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::case::CaseResult;
use crate::harness::Harness;
use crate::measure::Outcome;

/// What can be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// Enqueue jobs one by one, or ten a transaction.
    EnqueueSingle,
    /// Enqueue very many jobs in one transaction.
    EnqueueBulk,
    /// Run many jobs that do nothing, with payloads of three sizes.
    Drain,
    /// Enqueue single jobs for an idle runner.
    Pickup,
    /// Enqueue single jobs at an even rate.
    Steady,
    /// Jobs of all lengths, priorities and queues, some of which fail.
    Mixed,
    /// Run jobs beside many that are scheduled or have finished. Slow.
    Backlog,
    /// A steady load while somebody holds an old snapshot. Slow.
    Pinned,
    /// One, four and sixteen runner processes. Slow.
    Many,
    /// Handlers that write a row and complete their job in one transaction.
    Transactional,
    /// Enqueue unique jobs, with and without conflicts.
    Unique,
    /// Every job fails once.
    Retries,
    /// Decode payloads, without a database.
    #[cfg(feature = "bincode")]
    Decode,
}

/// What one workload showed.
#[derive(Debug)]
pub(crate) struct WorkloadResult {
    pub(crate) name: &'static str,
    /// What is measured, in a sentence or two.
    pub(crate) about: &'static str,
    /// The first is the one that stands for the workload.
    pub(crate) cases: Vec<CaseResult>,
}

impl Workload {
    /// Those that a run without names has.
    pub(crate) fn quick() -> Vec<Self> {
        let is_slow = |workload: &Self| matches!(workload, Self::Backlog | Self::Pinned | Self::Many);
        Self::value_variants().iter().copied().filter(|workload| !is_slow(workload)).collect()
    }

    /// Measures it.
    pub(crate) async fn run(self, harness: &mut Harness) -> Result<WorkloadResult> {
        let (name, about, cases) = match self {
            Self::EnqueueSingle => {
                (enqueue_single::NAME, enqueue_single::ABOUT, enqueue_single::run(harness).await?)
            }
            Self::EnqueueBulk => (enqueue_bulk::NAME, enqueue_bulk::ABOUT, enqueue_bulk::run(harness).await?),
            Self::Drain => (drain::NAME, drain::ABOUT, drain::run(harness).await?),
            Self::Pickup => (pickup::NAME, pickup::ABOUT, pickup::run(harness).await?),
            Self::Steady => (steady::NAME, steady::ABOUT, steady::run(harness).await?),
            Self::Mixed => (mixed::NAME, mixed::ABOUT, mixed::run(harness).await?),
            Self::Backlog => (backlog::NAME, backlog::ABOUT, backlog::run(harness).await?),
            Self::Pinned => (pinned::NAME, pinned::ABOUT, pinned::run(harness).await?),
            Self::Many => (many::NAME, many::ABOUT, many::run(harness).await?),
            Self::Transactional => {
                (transactional::NAME, transactional::ABOUT, transactional::run(harness).await?)
            }
            Self::Unique => (unique::NAME, unique::ABOUT, unique::run(harness).await?),
            #[cfg(feature = "bincode")]
            Self::Decode => (decode::NAME, decode::ABOUT, decode::run(harness).await?),
            Self::Retries => (retries::NAME, retries::ABOUT, retries::run(harness).await?),
        };
        Ok(WorkloadResult { name, about, cases })
    }
}

/// A workload was asked for a side that it does not have.
fn no_such_side() -> Result<Outcome> {
    bail!("this workload has no such side")
}
