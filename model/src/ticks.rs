//! The ticks of a schedule: runners that look when it is due and fire it, and people who change it meanwhile.

use stateright::{Model, Property};

/// Whoever fires it, and however often they try.
pub const I8: &str = "I8 one job per schedule and tick";
/// Unless somebody moved the schedule past it.
pub const EVERY_TICK: &str = "a tick that was passed has its job";

/// Ticks that are looked at.
const TICKS: usize = 3;
/// How often somebody changes the schedule.
const CHANGES: u8 = 2;
const RUNNERS: usize = 3;

/// A guard of the ticks, to be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TickGuard {
    /// A runner fires what it has seen due, or nothing. Without: it fires what is due now, and sets the next one it has computed.
    Expected,
    /// A row for each tick, which is unique. Without: whoever moves the schedule back has its ticks again.
    Row,
    /// Tick, job and the next time are written in one transaction. Without: the next time first.
    OneTransaction,
}

/// A schedule, maybe without one of its guards.
#[derive(Debug, Clone, Default)]
pub struct Ticking {
    /// The guard that is missing.
    pub without: Option<TickGuard>,
}

/// Everything there is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TickState {
    next: usize,
    revision: u8,
    /// Which ticks have a row.
    rows: [bool; TICKS],
    /// How many jobs each has; two stand for more.
    jobs: [u8; TICKS],
    /// Somebody moved the schedule past it.
    excused: [bool; TICKS],
    /// What each runner has seen to be due, and of which revision. A runner that is paused acts on it whenever it goes on.
    seen: [Option<(usize, u8)>; RUNNERS],
    /// A runner that has set the next time and not made the job.
    half: Option<usize>,
}

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TickAction {
    /// A runner sees what is due, and computes what follows.
    Look(usize),
    /// It fires, and learns of it.
    Fire(usize),
    /// It fires, and the reply is lost: it will try again.
    FireReplyLost(usize),
    /// It is killed, and its successor knows nothing.
    Crash(usize),
    /// Somebody changes the schedule, which is due at that tick next.
    Change(usize),
    /// The second half of what was to be one transaction.
    Finish,
}

impl Ticking {
    fn lacks(&self, guard: TickGuard) -> bool {
        self.without == Some(guard)
    }

    fn fire(&self, state: &mut TickState, (tick, revision): (usize, u8)) {
        let is_expected = state.next == tick && state.revision == revision;
        if state.next == TICKS || (!is_expected && !self.lacks(TickGuard::Expected)) {
            return;
        }
        state.next = tick + 1;
        if self.lacks(TickGuard::OneTransaction) {
            state.half = Some(tick);
        } else {
            self.enqueue(state, tick);
        }
    }

    fn enqueue(&self, state: &mut TickState, tick: usize) {
        if !state.rows[tick] || self.lacks(TickGuard::Row) {
            state.rows[tick] = true;
            state.jobs[tick] = (state.jobs[tick] + 1).min(2);
        }
    }
}

impl Model for Ticking {
    type State = TickState;
    type Action = TickAction;

    fn init_states(&self) -> Vec<TickState> {
        vec![TickState {
            next: 0,
            revision: 0,
            rows: [false; TICKS],
            jobs: [0; TICKS],
            excused: [false; TICKS],
            seen: [None; RUNNERS],
            half: None,
        }]
    }

    fn actions(&self, state: &TickState, actions: &mut Vec<TickAction>) {
        for (r, seen) in state.seen.iter().enumerate() {
            match seen {
                None if state.next < TICKS => actions.push(TickAction::Look(r)),
                None => {}
                Some(_) => {
                    if state.half.is_none() {
                        actions.extend([TickAction::Fire(r), TickAction::FireReplyLost(r)]);
                    }
                    actions.push(TickAction::Crash(r));
                }
            }
        }
        if state.revision < CHANGES {
            actions.extend((0..TICKS).map(TickAction::Change));
        }
        if state.half.is_some() {
            actions.push(TickAction::Finish);
        }
    }

    fn next_state(&self, last: &TickState, action: TickAction) -> Option<TickState> {
        let mut state = last.clone();
        match action {
            TickAction::Look(r) => state.seen[r] = Some((state.next, state.revision)),
            TickAction::Fire(r) => {
                self.fire(&mut state, last.seen[r]?);
                state.seen[r] = None;
            }
            TickAction::FireReplyLost(r) => self.fire(&mut state, last.seen[r]?),
            TickAction::Crash(r) => {
                state.seen[r] = None;
                state.half = None;
            }
            TickAction::Change(next) => {
                state.revision += 1;
                state.excused[state.next.min(next)..next].fill(true);
                state.excused[next..].fill(false);
                state.next = next;
            }
            TickAction::Finish => {
                if let Some(tick) = state.half.take() {
                    self.enqueue(&mut state, tick);
                }
            }
        }
        // Which runner is which makes no difference.
        state.seen.sort_unstable();
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::<Self>::always(I8, |_, state| state.jobs.iter().all(|jobs| *jobs <= 1)),
            Property::<Self>::always(EVERY_TICK, |_, state| {
                (0..state.next)
                    .all(|tick| state.jobs[tick] > 0 || state.excused[tick] || state.half == Some(tick))
            }),
            Property::<Self>::sometimes("two runners see the same tick", |_, state| {
                state.seen[1].is_some() && state.seen[1] == state.seen[2]
            }),
            Property::<Self>::sometimes("all ticks have their jobs", |_, state| state.jobs == [1; TICKS]),
        ]
    }
}
