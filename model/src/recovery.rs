use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{MutexGuard, PoisonError};

use crate::{Action, Life, Network, Outcome, Protocol, RUNNERS, Row, RunnerId, State};

/// More steps than any recovery takes.
const MOST_STEPS: usize = 100;

impl Protocol {
    /// Whether every job that can be moved ends when no further fault happens and every part does what it would do.
    #[must_use]
    pub fn recovers(&self, state: &State) -> bool {
        let mut state = State { faults_left: None, ..state.clone() };
        let mut passed = Vec::new();
        while passed.len() < MOST_STEPS {
            let print = fingerprint(&state);
            if self.known().contains(&print) {
                break;
            }
            passed.push(print);
            match self.recovery(&state) {
                Some(action) => state = self.next(&state, action),
                None if self.all_ended(&state) => break,
                None => return false,
            }
        }
        let recovers = passed.len() < MOST_STEPS;
        if recovers {
            self.known().extend(passed);
        }
        recovers
    }

    fn known(&self) -> MutexGuard<'_, HashSet<u64>> {
        // Nothing in here can panic half-way, so a poisoned set is a whole one.
        self.recovering.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn all_ended(&self, state: &State) -> bool {
        let waits = |row: &Row| self.stuck != Some(row.job);
        let leased =
            state.database.leases.iter().flat_map(|lease| &lease.jobs).filter(|leased| !leased.settled);
        let mut left = state.database.ready.iter().chain(&state.database.scheduled);
        !left.any(waits) && !leased.map(|leased| leased.row).any(|row| waits(&row))
    }

    /// The next step of that recovery.
    fn recovery(&self, state: &State) -> Option<Action> {
        let enabled = self.enabled(state);
        let mut wanted = enabled.into_iter().filter(|action| self.recovers_by(state, *action));
        wanted.next()
    }

    fn recovers_by(&self, state: &State, action: Action) -> bool {
        let is_down = |r: RunnerId| state.runner(r).life == Life::Down;
        match action {
            Action::Deliver | Action::Resume(_) | Action::Beat(_) | Action::Rescue | Action::Promote(_) => {
                true
            }
            Action::GiveBackStrangers(_) => true,
            Action::Start(_) => (0..RUNNERS as RunnerId).all(is_down),
            Action::Expire(r) => is_down(r),
            Action::Judge(r) => self.can_rescue(state, r),
            Action::Claim(_, network) | Action::Begin(_, _, network) => network == Network::Clean,
            Action::Settle(_, _, network) | Action::CompleteIn(_, _, network) => network == Network::Clean,
            Action::End(_, _, _, outcome) => outcome == Outcome::Complete,
            Action::GiveUp(..) | Action::Crash(_) | Action::Pause(_) | Action::Cancel(_) => false,
        }
    }

    /// A rescue would change something.
    fn can_rescue(&self, state: &State, r: RunnerId) -> bool {
        let mut leased = state.database.leased_to(r).peekable();
        leased.peek().is_none() || leased.any(|leased| self.stuck != Some(leased.row.job))
    }
}

fn fingerprint(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}
