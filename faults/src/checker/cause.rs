//! Why a job ran again.

use super::job::Run;
use super::{Beat, Tenure};
use crate::history::{End, Micros};
use crate::timeline::Timeline;

/// Why a job ran again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// It failed or snoozed, as it was told to. No repetition.
    Told,
    /// Its process was killed before the outcome was recorded.
    KilledBeforeSettle,
    /// Its lease had expired, by the database's clock, before the later claim.
    LeaseExpired,
    /// It was dropped before its end and given back.
    GivenBack,
    /// The handler's own use of the database failed.
    DatabaseFailed,
    /// A crash of the server undid its claim or the record of its end.
    ServerCrash,
    /// Its outcome could not be recorded, and the job was given back.
    SettleLost,
    /// The reply to an enqueue was lost, and the producer tried again.
    AmbiguousEnqueue,
}

impl Cause {
    /// As it is printed.
    pub fn text(self) -> &'static str {
        match self {
            Self::Told => "told to",
            Self::KilledBeforeSettle => "killed before settle",
            Self::LeaseExpired => "lease expired before the later claim",
            Self::GivenBack => "dropped and given back",
            Self::DatabaseFailed => "the handler's transaction failed",
            Self::ServerCrash => "server crash with an unsynced claim or settle",
            Self::SettleLost => "outcome not recorded",
            Self::AmbiguousEnqueue => "ambiguous commit of the enqueue",
        }
    }
}

/// A runner counts as dead when it was silent for so many of its heartbeat intervals, or for the second number of them
/// while no session of it holds its lock.
const DEAD_AFTER_BEATS: Micros = 15;
const DEAD_AFTER_BEATS_UNLOCKED: Micros = 3;

/// A runner hears within this time that a claim of it was undone: it cannot record what came of it.
const HEARD: Micros = 10_000_000;

/// The sessions that end leases: of the runner that has them, or any that takes back what dead ones held.
pub(super) const SETTLE: &str = "pgq settle";
const MAINTAIN: &str = "pgq maintain";
const RESCUE: &str = "rescue";

/// Why the later run could happen after the earlier one; none if there is no reason.
///
/// What committed within `unsynced` before a crash may be unknown to the server afterwards.
pub(super) fn of(
    earlier: &Run,
    later: &Run,
    held: &[Tenure],
    timeline: &Timeline,
    unsynced: Micros,
) -> Option<Cause> {
    let side = timeline.processes.get(earlier.process)?.side;
    let crashed = timeline.crashed_between(earlier.started, later.started);
    let undone = timeline.crashed_between(earlier.started, later.started + unsynced);
    let Some(tenure) = earlier.tenure.map(|at| &held[at]) else {
        return undone.then_some(Cause::ServerCrash);
    };
    let (ended_at, session) = tenure.ended.as_ref()?;
    if *ended_at > later.order(held) {
        return (later.tenure.is_none() && undone).then_some(Cause::ServerCrash);
    }
    let killed = timeline.processes.get(earlier.process)?.killed;
    let outcome = earlier.ended.map(|(_, end)| end);
    match (session.as_str(), outcome) {
        (SETTLE, Some(End::Retry | End::Snooze)) => Some(Cause::Told),
        (SETTLE, Some(End::Dropped)) => Some(Cause::GivenBack),
        (SETTLE, Some(End::Error)) => Some(Cause::DatabaseFailed),
        // It ran by an earlier claim, of which its process had not heard yet that it was undone.
        (SETTLE, _)
            if timeline.had_undone_claim(earlier.process, earlier.started, earlier.started + HEARD) =>
        {
            Some(Cause::ServerCrash)
        }
        (SETTLE, _) => None,
        (RESCUE, _) if killed.is_some_and(|killed| killed <= *ended_at) => Some(Cause::KilledBeforeSettle),
        (RESCUE, _) => expired(tenure, *ended_at, side, timeline).then_some(Cause::LeaseExpired),
        (MAINTAIN, _) if crashed => Some(Cause::ServerCrash),
        (MAINTAIN, _) => timeline.last_touching(side, earlier.started, *ended_at).map(|_| Cause::SettleLost),
        _ => None,
    }
}

/// Whether a runner that was not killed had been silent, by the server's clock, for as long as the rules say before its lease
/// was taken. Its lock can only have been free if it did not hold it before, or something met its sessions meanwhile.
fn expired(tenure: &Tenure, ended: Micros, side: usize, timeline: &Timeline) -> bool {
    let beat = tenure.beat.unwrap_or(Beat { at: tenure.claimed, locked: true });
    let silent = ended.saturating_sub(beat.at);
    let cut = || !beat.locked || timeline.last_touching(side, beat.at, ended).is_some();
    silent >= timeline.heartbeat * DEAD_AFTER_BEATS
        || silent >= timeline.heartbeat * DEAD_AFTER_BEATS_UNLOCKED && cut()
}
