use crate::{
    Action, Delayed, Guard, Job, Life, Network, Outcome, Phase, Protocol, RUNNERS, Registration, Row,
    RunnerId, State,
};

/// Leases in a runner's hand beyond which it claims none. They pile up if the server undoes claim after claim.
const MOST_LEASES: usize = 2;

/// What may become of a statement that is performed when it is sent.
const ANSWERED: [Network; 3] = [Network::Clean, Network::ReplyLost, Network::Undone];

fn networks(state: &State) -> impl Iterator<Item = Network> + use<> {
    ANSWERED.into_iter().chain(state.delayed.is_none().then_some(Network::Delayed))
}

impl Protocol {
    /// What can happen in that state.
    #[must_use]
    pub fn enabled(&self, state: &State) -> Vec<Action> {
        let mut actions = Vec::new();
        for r in 0..RUNNERS as RunnerId {
            self.of_process(state, r, &mut actions);
            if state.runner(r).acts() {
                self.of_runner(state, r, &mut actions);
            }
        }
        match state.judged {
            Some(_) => actions.push(Action::Rescue),
            None => actions
                .extend((0..RUNNERS as RunnerId).filter(|r| self.may_judge(state, *r)).map(Action::Judge)),
        }
        let waits = |job: &Job| {
            let tables = [&state.database.ready, &state.database.scheduled];
            tables.iter().any(|table| table.iter().any(|row| row.job == *job))
        };
        let marks = |job: &Job| {
            let mut leased = state.database.leases.iter().flat_map(|lease| &lease.jobs);
            leased.any(|leased| leased.row.job == *job && !leased.settled && !leased.cancelled)
        };
        actions.extend(
            self.cancellable.iter().filter(|job| waits(job) || marks(job)).map(|job| Action::Cancel(*job)),
        );
        actions.extend(state.database.scheduled.iter().map(|row| Action::Promote(row.job)));
        if state.delayed.is_some() {
            actions.push(Action::Deliver);
        }
        if state.faults_left == Some(0) {
            actions.retain(|action| !state.is_fault(*action));
        }
        actions
    }

    /// What befalls a process.
    fn of_process(&self, state: &State, r: RunnerId, actions: &mut Vec<Action>) {
        let row = state.database.runners[usize::from(r)];
        match state.runner(r).life {
            Life::Down => {
                if row == Registration::Absent && !state.remembers_runner(r) {
                    actions.push(Action::Start(r));
                }
            }
            Life::Paused => actions.extend([Action::Crash(r), Action::Resume(r)]),
            Life::Up | Life::Late => actions.extend([Action::Crash(r), Action::Pause(r)]),
        }
        if row == Registration::Fresh {
            actions.push(Action::Expire(r));
        }
    }

    /// What a runner that acts may do.
    fn of_runner(&self, state: &State, r: RunnerId, actions: &mut Vec<Action>) {
        let runner = state.runner(r);
        let row = state.database.runners[usize::from(r)];
        if row != Registration::Fresh || runner.life == Life::Late {
            actions.push(Action::Beat(r));
        }
        let trusts = runner.life == Life::Late || row != Registration::Stale;
        let room = runner.busy() < self.slots.into() && runner.hand.len() < MOST_LEASES;
        if trusts && room && !state.database.ready.is_empty() {
            actions.extend(networks(state).map(|network| Action::Claim(r, network)));
        }
        if !self.lacks(Guard::Strangers)
            && state.database.leases.iter().any(|lease| lease.owner == r && !runner.knows(lease.id))
        {
            actions.push(Action::GiveBackStrangers(r));
        }
        for held in &runner.hand {
            for (position, job) in held.jobs.iter().enumerate() {
                let end = |outcome| Action::End(r, held.lease, position, outcome);
                let transactional = self.transactional == Some(job.row.job);
                match job.phase {
                    Phase::Waiting => actions.extend(
                        [Network::Clean, Network::ReplyLost]
                            .map(|network| Action::Begin(r, held.lease, network)),
                    ),
                    Phase::Running => {
                        let snooze = self.snoozing.contains(&job.row.job).then_some(Outcome::Snooze);
                        actions.extend(snooze.into_iter().chain([self.failure(job.row)]).map(end));
                        if transactional {
                            actions.extend(
                                ANSWERED
                                    .into_iter()
                                    .map(|network| Action::CompleteIn(r, held.lease, network)),
                            );
                        } else {
                            actions.push(end(Outcome::Complete));
                        }
                    }
                    Phase::Ended(_) | Phase::Recorded(_) => {}
                }
            }
            if held.known && held.jobs.iter().any(|job| matches!(job.phase, Phase::Ended(_))) {
                actions.extend(networks(state).map(|network| Action::Settle(r, held.lease, network)));
                actions.push(Action::GiveUp(r, held.lease));
            }
        }
    }

    pub(crate) fn failure(&self, row: Row) -> Outcome {
        if row.attempts + 1 >= self.most_attempts(row.job) { Outcome::Discard } else { Outcome::Retry }
    }

    fn may_judge(&self, state: &State, r: RunnerId) -> bool {
        let dead = match state.database.runners[usize::from(r)] {
            Registration::Fresh => false,
            Registration::Stale => true,
            // Nobody rescues these at once: a runner that acts registers again long before.
            Registration::Absent => {
                !state.runner(r).acts() && state.database.leases.iter().any(|lease| lease.owner == r)
            }
        };
        dead && !self.lacks(Guard::RescueAlways)
    }
}

impl State {
    /// Whether that is no part of a good day.
    #[must_use]
    pub fn is_fault(&self, action: Action) -> bool {
        match action {
            Action::Crash(_) | Action::Pause(_) | Action::GiveUp(..) => true,
            Action::Expire(r) => self.runner(r).acts(),
            Action::Claim(_, network)
            | Action::Begin(_, _, network)
            | Action::CompleteIn(_, _, network)
            | Action::Settle(_, _, network) => network != Network::Clean,
            _ => false,
        }
    }

    /// Something of that runner's is left that its successor could be taken for the owner of.
    fn remembers_runner(&self, r: RunnerId) -> bool {
        let delayed = match &self.delayed {
            Some(Delayed::Claim(owner, _)) => *owner == r,
            Some(Delayed::Settle(settle)) => settle.owner == r,
            None => false,
        };
        let judged = self.judged.as_ref().is_some_and(|(dead, _)| *dead == r);
        delayed || judged || self.database.leases.iter().any(|lease| lease.owner == r)
    }
}
