use crate::{Held, InHand, Lease, LeaseId, Life, Outcome, Phase, Runner};

impl Runner {
    /// Whether it does anything.
    pub(crate) fn acts(&self) -> bool {
        matches!(self.life, Life::Up | Life::Late)
    }

    pub(crate) fn held(&mut self, lease: LeaseId) -> Option<&mut Held> {
        self.hand.iter_mut().find(|held| held.lease == lease)
    }

    /// The lease is in its ledger.
    pub(crate) fn knows(&self, lease: LeaseId) -> bool {
        self.hand.iter().any(|held| held.known && held.lease == lease)
    }

    /// Takes claimed jobs in hand. They run at once, but for those that were aboard a crash.
    pub(crate) fn take(&mut self, leases: Vec<Lease>) {
        for lease in leases {
            let phase = if lease.started { Phase::Running } else { Phase::Waiting };
            let jobs = lease.jobs.iter().map(|leased| InHand { row: leased.row, phase });
            self.hand.push(Held { lease: lease.id, known: true, jobs: jobs.collect() });
        }
        self.hand.sort_by_key(|held| held.lease);
    }

    /// How many jobs take up its slots.
    pub(crate) fn busy(&self) -> usize {
        self.unended().count()
    }

    /// The jobs that have not ended.
    pub(crate) fn unended(&self) -> impl Iterator<Item = &InHand> {
        let jobs = self.hand.iter().flat_map(|held| &held.jobs);
        jobs.filter(|job| matches!(job.phase, Phase::Running | Phase::Waiting))
    }

    /// Drops what runs, since others may take it.
    pub(crate) fn drop_jobs(&mut self) {
        for held in &mut self.hand {
            let jobs = held.jobs.iter_mut();
            jobs.filter(|job| matches!(job.phase, Phase::Running | Phase::Waiting))
                .for_each(|job| job.phase = Phase::Ended(Outcome::Release));
        }
        self.tidy();
    }

    /// Forgets outcomes that will not be recorded, and leases of which nothing is left to do.
    pub(crate) fn tidy(&mut self) {
        for held in self.hand.iter_mut().filter(|held| !held.known) {
            held.jobs.iter_mut().for_each(InHand::record);
        }
        self.hand.retain(|held| !held.jobs.iter().all(|job| matches!(job.phase, Phase::Recorded(_))));
    }
}

impl InHand {
    /// Its outcome is recorded, or nobody will.
    pub(crate) fn record(&mut self) {
        if let Phase::Ended(outcome) = self.phase {
            self.phase = Phase::Recorded(outcome);
        }
    }
}
