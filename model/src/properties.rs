use stateright::Property;

use crate::{End, Job, Life, Phase, Protocol, Registration, Row, State};

/// No job is gone but by a handler that returned well.
pub const I1_LOST: &str = "I1 what was enqueued is there until it has ended";
/// From everywhere the end is reached without a further fault, by all jobs that can be moved.
pub const I1_STUCK: &str = "I1, I12 once faults stop, every job ends";
/// A job is in at most one table.
pub const I2: &str = "I2 a job is in one table, and unsettled in one lease";
/// A settle changes what its lease holds, or nothing.
pub const I3: &str = "I3 an owner's statement changes rows only while its lease exists";
/// Nothing is claimed twice into one lease.
pub const I4: &str = "I4 a handler starts at most once per job and lease";
/// Of all runs of a job one has a lease that lives.
pub const I5: &str = "I5 two runs overlap only if the earlier lease had ended";
/// Every run after the first has a fault or a record before it.
pub const I6: &str = "I6 a handler that starts again has its cause";
/// A cancelled job does not go on waiting.
pub const CANCELLED: &str = "what was cancelled while it ran does not run again";
/// Counters stay within their limits.
pub const I10: &str = "I10 attempts and crashes stay within their limits";
/// A runner has at most as many jobs as slots.
pub const I13: &str = "I13 a runner has at most as many jobs in hand as slots";
/// An effect in the completing transaction.
pub const ONCE: &str = "the effect of a transactional job is there once, and only if it completed";
/// A runner that others may take for dead runs nothing, unless it was stopped.
pub const TRUST: &str = "a runner that was not stopped runs nothing that others may take";
/// The model is not empty: what cannot be prevented happens.
pub const OVERLAP: &str = "a job runs twice at the same time";

/// What must hold in every state of that protocol, and what must happen in some.
pub(crate) fn properties(protocol: &Protocol) -> Vec<Property<Protocol>> {
    let mut properties = vec![
        Property::<Protocol>::always(I1_LOST, |_, state| !state.history.lost),
        Property::<Protocol>::always(I2, |protocol, state| {
            protocol.jobs().all(|job| state.places(job).count() <= 1)
        }),
        Property::<Protocol>::always(I3, |_, state| !state.history.unfenced),
        Property::<Protocol>::always(I4, |_, state| state.every_lease_is_in_one_hand()),
        Property::<Protocol>::always(I5, |protocol, state| {
            protocol.jobs().all(|job| state.runs(job, Runs::Leased) <= 1)
        }),
        Property::<Protocol>::always(I6, |_, state| !state.history.unexplained),
        Property::<Protocol>::always(CANCELLED, |protocol, state| {
            protocol.jobs().all(|job| !state.waits_cancelled(job))
        }),
        Property::<Protocol>::always(I10, |protocol, state| {
            protocol.jobs().flat_map(|job| state.places(job)).all(|place| protocol.within_limits(&place))
        }),
        Property::<Protocol>::always(I13, |protocol, state| {
            state.runners.iter().all(|runner| runner.busy() <= protocol.slots.into())
        }),
        Property::<Protocol>::always(ONCE, |protocol, state| {
            protocol.transactional.is_none_or(|job| state.history.effects == u8::from(state.is_gone(job)))
        }),
        Property::<Protocol>::always(TRUST, |_, state| state.silent_runners_run_nothing()),
        Property::<Protocol>::always(I1_STUCK, |protocol, state| protocol.recovers(state)),
        Property::<Protocol>::sometimes(OVERLAP, |protocol, state| {
            protocol.jobs().any(|job| state.runs(job, Runs::All) > 1)
        }),
        Property::<Protocol>::sometimes("a job completes", |protocol, state| {
            protocol.jobs().any(|job| state.is_gone(job))
        }),
        Property::<Protocol>::sometimes("a job is discarded", |_, state| state.has(End::Discarded)),
    ];
    if !protocol.cancellable.is_empty() {
        let cancelled =
            Property::<Protocol>::sometimes("a job is cancelled", |_, state| state.has(End::Cancelled));
        properties.push(cancelled);
    }
    properties
}

/// Which runs of a job are counted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Runs {
    /// All.
    All,
    /// Those whose lease holds the job.
    Leased,
}

/// Where a job is, with its row.
enum Place {
    Waiting(Row),
    Leased(Row),
    Finished(Row),
}

impl Protocol {
    pub(crate) fn jobs(&self) -> impl Iterator<Item = Job> {
        0..self.max_attempts.len() as Job
    }

    fn within_limits(&self, place: &Place) -> bool {
        let (row, most) = match place {
            Place::Waiting(row) | Place::Leased(row) => (row, self.most_attempts(row.job) - 1),
            Place::Finished(row) => (row, self.most_attempts(row.job)),
        };
        row.attempts <= most && row.crashes <= self.max_crashes
    }
}

impl State {
    fn places(&self, job: Job) -> impl Iterator<Item = Place> {
        let waiting =
            self.database.ready.iter().chain(&self.database.scheduled).map(|row| Place::Waiting(*row));
        let leased =
            self.database.leases.iter().flat_map(|lease| &lease.jobs).filter(|leased| !leased.settled);
        let finished = self.database.finished.iter().map(|finished| Place::Finished(finished.row));
        let all = waiting.chain(leased.map(|leased| Place::Leased(leased.row))).chain(finished);
        all.filter(move |place| place.job() == job)
    }

    fn is_gone(&self, job: Job) -> bool {
        self.places(job).next().is_none()
    }

    fn has(&self, end: End) -> bool {
        self.database.finished.iter().any(|finished| finished.end == end)
    }

    fn waits_cancelled(&self, job: Job) -> bool {
        let waits = |place: &Place| matches!(place, Place::Waiting(_));
        self.history.asked[usize::from(job)] && self.places(job).any(|place| waits(&place))
    }

    /// How many handlers run that job.
    fn runs(&self, job: Job, which: Runs) -> usize {
        let runs = (0..).zip(&self.runners).flat_map(|(owner, runner)| {
            let runs = runner.hand.iter().flat_map(|held| held.jobs.iter().map(|job| (held.lease, job)));
            runs.map(move |(lease, job)| (owner, lease, job))
        });
        let runs = runs.filter(|(.., run)| run.row.job == job && run.phase == Phase::Running);
        let leased = |owner, number| {
            let lease = self.database.leases.iter().find(|lease| lease.owner == owner && lease.id == number);
            lease
                .is_some_and(|lease| lease.jobs.iter().any(|leased| leased.row.job == job && !leased.settled))
        };
        runs.filter(|(owner, lease, _)| which == Runs::All || leased(*owner, *lease)).count()
    }

    fn every_lease_is_in_one_hand(&self) -> bool {
        let hands =
            |number| self.runners.iter().flat_map(|runner| &runner.hand).filter(move |h| h.lease == number);
        self.database.leases.iter().all(|lease| hands(lease.id).count() <= 1)
    }

    fn silent_runners_run_nothing(&self) -> bool {
        let rows = self.runners.iter().zip(self.database.runners);
        let mut silent = rows.filter(|(runner, row)| runner.life == Life::Up && *row == Registration::Stale);
        silent.all(|(runner, _)| runner.unended().next().is_none())
    }
}

impl Place {
    fn job(&self) -> Job {
        match self {
            Self::Waiting(row) | Self::Leased(row) | Self::Finished(row) => row.job,
        }
    }
}
