use stateright::{Model, Property};

use crate::database::Settled;
use crate::state::History;
use crate::{
    Action, Database, Delayed, Guard, InHand, Job, LeaseId, Life, Network, Outcome, Phase, Protocol,
    Registration, Row, Runner, RunnerId, Settle, State,
};

impl Protocol {
    pub(crate) fn lacks(&self, guard: Guard) -> bool {
        self.without == Some(guard)
    }

    pub(crate) fn most_attempts(&self, job: Job) -> u8 {
        self.max_attempts[usize::from(job)]
    }

    /// Every job ready, and both runners up.
    #[must_use]
    pub fn start(&self) -> State {
        let ready =
            (0..self.max_attempts.len() as Job).map(|job| Row { job, attempts: 0, crashes: 0 }).collect();
        let runner = Runner { life: Life::Up, hand: Vec::new() };
        State {
            database: Database { ready, ..Database::default() },
            runners: [runner.clone(), runner],
            judged: None,
            delayed: None,
            faults_left: self.faults,
            history: History::default(),
        }
    }

    /// What that action makes of that state.
    #[must_use]
    pub fn next(&self, last: &State, action: Action) -> State {
        let mut state = last.clone();
        if last.is_fault(action) {
            state.faults_left = last.faults_left.map(|left| left - 1);
        }
        match action {
            Action::Start(r) => self.begin_process(&mut state, r),
            Action::Claim(r, network) => self.claim(&mut state, r, network),
            Action::Begin(r, lease, network) => begin(&mut state, r, lease, network),
            Action::End(r, lease, position, outcome) => self.end(&mut state, (r, lease, position), outcome),
            Action::CompleteIn(r, lease, network) => self.complete_in(&mut state, r, lease, network),
            Action::Settle(r, lease, network) => self.settle(&mut state, r, lease, network),
            Action::GiveUp(r, lease) => forget(state.runner_mut(r), lease),
            Action::GiveBackStrangers(r) => {
                let runner = last.runner(r);
                state.database.give_back(self, r, |lease| runner.knows(lease));
            }
            Action::Beat(r) => beat(&mut state, r),
            Action::Expire(r) => self.expire(&mut state, r),
            Action::Crash(r) => *state.runner_mut(r) = Runner { life: Life::Down, hand: Vec::new() },
            Action::Pause(r) => state.runner_mut(r).life = Life::Paused,
            Action::Resume(r) => state.runner_mut(r).life = Life::Late,
            Action::Judge(r) => self.judge(&mut state, r),
            Action::Rescue => {
                if let Some((dead, seen)) = state.judged.take() {
                    state.database.rescue(self, dead, &seen);
                }
            }
            Action::Cancel(job) => state.history.asked[usize::from(job)] |= state.database.cancel(job),
            Action::Promote(job) => state.database.promote(job),
            Action::Deliver => self.deliver(&mut state),
        }
        self.note_causes(last, action, &mut state);
        state
    }

    /// A handler starts again for a fault, or since its job has left the lease in which it started before: it was settled to
    /// wait, given back or rescued, each of which is on record.
    fn note_causes(&self, last: &State, action: Action, state: &mut State) {
        for job in self.jobs() {
            let (starts, leaves) = (
                state.running(job) > last.running(job),
                last.database.leased(job) > 0 && state.database.leased(job) == 0,
            );
            let history = &mut state.history;
            let started = &mut history.started[usize::from(job)];
            history.unexplained |= starts && *started;
            *started = (*started || starts) && !leaves && !last.is_fault(action);
        }
    }

    fn begin_process(&self, state: &mut State, r: RunnerId) {
        state.runner_mut(r).life = Life::Up;
        state.database.runners[usize::from(r)] = Registration::Fresh;
        let other = 1 - r;
        if self.lacks(Guard::RescueAlways)
            && state.database.runners[usize::from(other)] == Registration::Stale
        {
            self.judge(state, other);
        }
    }

    fn judge(&self, state: &mut State, r: RunnerId) {
        let remembers = self.lacks(Guard::RescueByLease);
        let seen = state.database.leased_to(r).filter(|_| remembers).map(|leased| leased.row).collect();
        state.judged = Some((r, seen));
    }

    fn expire(&self, state: &mut State, r: RunnerId) {
        state.database.runners[usize::from(r)] = Registration::Stale;
        if state.runner(r).life == Life::Up && !self.lacks(Guard::Deadline) {
            state.runner_mut(r).drop_jobs();
        }
    }

    fn claim(&self, state: &mut State, r: RunnerId, network: Network) {
        let free = self.slots - state.runner(r).busy() as u8;
        let numbers = state.free_numbers();
        if network == Network::Delayed {
            return state.delayed = Some(Delayed::Claim(r, free));
        }
        let before = state.database.clone();
        let leases = state.database.claim(self, r, free, numbers.into_iter());
        if network == Network::Undone {
            state.database = before;
        }
        if network != Network::ReplyLost {
            state.runner_mut(r).take(leases);
        }
    }

    fn end(&self, state: &mut State, (r, lease, position): (RunnerId, LeaseId, usize), outcome: Outcome) {
        let Some(held) = state.runner_mut(r).held(lease) else { return };
        held.jobs[position].phase = Phase::Ended(outcome);
        state.runner_mut(r).tidy();
    }

    fn complete_in(&self, state: &mut State, r: RunnerId, lease: LeaseId, network: Network) {
        let before = state.database.clone();
        let found = if self.lacks(Guard::OneTransaction) {
            state.runner(r).hand.iter().any(|held| held.lease == lease)
        } else {
            state.database.complete_in(r, lease)
        };
        if network == Network::Undone {
            state.database = before;
        } else if found {
            state.history.effects = (state.history.effects + 1).min(2);
        }
        let Some(held) = state.runner_mut(r).held(lease) else { return };
        let row = held.jobs[0].row;
        held.jobs[0].phase = match network {
            Network::ReplyLost => Phase::Ended(self.failure(row)),
            _ if !found => Phase::Ended(self.failure(row)),
            _ if self.lacks(Guard::OneTransaction) => Phase::Ended(Outcome::Complete),
            _ => Phase::Recorded(Outcome::Complete),
        };
        state.runner_mut(r).tidy();
    }

    fn settle(&self, state: &mut State, r: RunnerId, lease: LeaseId, network: Network) {
        let Some(settle) = self.settle_of(state, r, lease) else { return };
        if network == Network::Delayed {
            return state.delayed = Some(Delayed::Settle(settle));
        }
        let before = state.database.clone();
        let found = state.database.settle(self, &settle);
        state.history.note(&found);
        if network == Network::Undone {
            state.database = before;
        }
        match network {
            Network::ReplyLost => {}
            _ if found.held => record(state.runner_mut(r), lease),
            _ => forget(state.runner_mut(r), lease),
        }
    }

    /// What the runner would record of that lease now.
    #[must_use]
    pub fn settle_of(&self, state: &State, owner: RunnerId, lease: LeaseId) -> Option<Settle> {
        let held = state.runner(owner).hand.iter().find(|held| held.lease == lease)?;
        let done: Vec<bool> =
            held.jobs.iter().map(|job| matches!(job.phase, Phase::Ended(_) | Phase::Recorded(_))).collect();
        let says_all = !self.lacks(Guard::AllOutcomes);
        let ends = held.jobs.iter().enumerate().filter_map(|(position, job)| match job.phase {
            Phase::Ended(outcome) => Some((position, job.row, outcome)),
            Phase::Recorded(outcome) if says_all => Some((position, job.row, outcome)),
            _ => None,
        });
        Some(Settle { owner, lease, ends: ends.collect(), done })
    }

    fn deliver(&self, state: &mut State) {
        let numbers = state.free_numbers();
        match state.delayed.take() {
            Some(Delayed::Claim(r, slots)) => {
                state.database.claim(self, r, slots, numbers.into_iter());
            }
            Some(Delayed::Settle(settle)) => {
                let found = state.database.settle(self, &settle);
                state.history.note(&found);
            }
            None => {}
        }
    }
}

fn begin(state: &mut State, r: RunnerId, lease: LeaseId, network: Network) {
    let begun = state.database.begin(r, lease) && network == Network::Clean;
    let Some(held) = state.runner_mut(r).held(lease) else { return };
    held.jobs[0].phase = if begun { Phase::Running } else { Phase::Ended(Outcome::Release) };
    state.runner_mut(r).tidy();
}

fn beat(state: &mut State, r: RunnerId) {
    if state.database.runners[usize::from(r)] == Registration::Absent {
        state.runner_mut(r).drop_jobs();
    }
    state.database.runners[usize::from(r)] = Registration::Fresh;
    state.runner_mut(r).life = Life::Up;
}

/// What ended in that lease is recorded.
fn record(runner: &mut Runner, lease: LeaseId) {
    let Some(held) = runner.held(lease) else { return };
    held.jobs.iter_mut().for_each(InHand::record);
    runner.tidy();
}

/// The lease leaves the ledger.
fn forget(runner: &mut Runner, lease: LeaseId) {
    let Some(held) = runner.held(lease) else { return };
    held.known = false;
    runner.tidy();
}

impl History {
    fn note(&mut self, found: &Settled) {
        self.unfenced |= found.unfenced;
        self.lost |= found.lost;
    }
}

impl State {
    pub(crate) fn runner(&self, r: RunnerId) -> &Runner {
        &self.runners[usize::from(r)]
    }

    pub(crate) fn runner_mut(&mut self, r: RunnerId) -> &mut Runner {
        &mut self.runners[usize::from(r)]
    }

    /// How many handlers run that job.
    fn running(&self, job: Job) -> usize {
        let jobs = self.runners.iter().flat_map(|runner| &runner.hand).flat_map(|held| &held.jobs);
        jobs.filter(|run| run.row.job == job && run.phase == Phase::Running).count()
    }

    /// Numbers of leases that nobody remembers.
    fn free_numbers(&self) -> Vec<LeaseId> {
        let in_database = self.database.leases.iter().map(|lease| lease.id);
        let in_hand = self.runners.iter().flat_map(|runner| &runner.hand).map(|held| held.lease);
        let delayed = match &self.delayed {
            Some(Delayed::Settle(settle)) => Some(settle.lease),
            _ => None,
        };
        let taken: Vec<LeaseId> = in_database.chain(in_hand).chain(delayed).collect();
        (0..LeaseId::MAX).filter(|number| !taken.contains(number)).take(crate::MOST_JOBS).collect()
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.start()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions.extend(self.enabled(state));
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        Some(self.next(last, action).canonical())
    }

    fn properties(&self) -> Vec<Property<Self>> {
        crate::properties::properties(self)
    }
}
