use std::cmp::Ordering;

use crate::{Delayed, InHand, LeaseId, RUNNERS, Runner, RunnerId, State};

impl State {
    /// The same state with runners and leases numbered in one way: which is which makes no difference to what follows.
    pub(crate) fn canonical(mut self) -> Self {
        if self.order() == Ordering::Greater {
            self.swap_runners();
        }
        self.number_leases();
        self
    }

    /// How the first runner compares with the second one.
    fn order(&self) -> Ordering {
        let [first, second] = &self.runners;
        let leased =
            |r| self.database.leases.iter().filter(move |lease| lease.owner == r).map(|lease| &lease.jobs);
        let judged = self.judged.as_ref().map(|(dead, _)| usize::from(*dead));
        (first.life, self.database.runners[0])
            .cmp(&(second.life, self.database.runners[1]))
            .then_with(|| jobs(first).cmp(jobs(second)))
            .then_with(|| leased(0).cmp(leased(1)))
            .then_with(|| judged.cmp(&judged.map(|dead| 1 - dead)))
            .then_with(|| self.owner_of_delayed().cmp(&self.owner_of_delayed().map(|owner| 1 - owner)))
    }

    fn owner_of_delayed(&self) -> Option<usize> {
        let owner = match self.delayed.as_ref()? {
            Delayed::Claim(owner, _) => owner,
            Delayed::Settle(settle) => &settle.owner,
        };
        Some(usize::from(*owner))
    }

    fn swap_runners(&mut self) {
        let other = |r: &mut RunnerId| *r = RUNNERS as RunnerId - 1 - *r;
        self.runners.swap(0, 1);
        self.database.runners.swap(0, 1);
        self.database.leases.iter_mut().for_each(|lease| other(&mut lease.owner));
        if let Some((dead, _)) = &mut self.judged {
            other(dead);
        }
        match &mut self.delayed {
            Some(Delayed::Claim(owner, _)) => other(owner),
            Some(Delayed::Settle(settle)) => other(&mut settle.owner),
            None => {}
        }
    }

    fn number_leases(&mut self) {
        self.database.leases.sort_by(|a, b| (a.owner, &a.jobs, a.id).cmp(&(b.owner, &b.jobs, b.id)));
        for runner in &mut self.runners {
            runner.hand.sort_by(|a, b| (&a.jobs, a.known, a.lease).cmp(&(&b.jobs, b.known, b.lease)));
        }
        let mut numbers = Vec::new();
        let mut number = |id: &mut LeaseId| {
            let known = numbers.iter().position(|known| known == id);
            let at = known.unwrap_or_else(|| {
                numbers.push(*id);
                numbers.len() - 1
            });
            *id = at as LeaseId;
        };
        self.database.leases.iter_mut().for_each(|lease| number(&mut lease.id));
        self.runners.iter_mut().flat_map(|runner| &mut runner.hand).for_each(|held| number(&mut held.lease));
        if let Some(Delayed::Settle(settle)) = &mut self.delayed {
            number(&mut settle.lease);
        }
    }
}

fn jobs(runner: &Runner) -> impl Iterator<Item = &InHand> {
    runner.hand.iter().flat_map(|held| &held.jobs)
}
