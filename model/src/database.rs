use crate::{
    Database, End, Finished, Guard, Job, Lease, LeaseId, Leased, Outcome, Protocol, Registration, Row,
    RunnerId, Settle,
};

/// What a settle found.
#[derive(Default)]
pub(crate) struct Settled {
    /// The lease was there.
    pub(crate) held: bool,
    /// It changed a job that its own lease did not hold.
    pub(crate) unfenced: bool,
    /// It removed a job that it said nothing of.
    pub(crate) lost: bool,
}

impl Database {
    /// Takes the first jobs that are ready and packs them into leases with these numbers.
    pub(crate) fn claim(
        &mut self,
        protocol: &Protocol,
        owner: RunnerId,
        slots: u8,
        mut numbers: impl Iterator<Item = LeaseId>,
    ) -> Vec<Lease> {
        let all = self.ready.len();
        let limit = if protocol.lacks(Guard::ClaimLimit) { all } else { all.min(slots.into()) };
        let claimed: Vec<Row> = match protocol.lacks(Guard::ClaimTakes) {
            true => self.ready[..limit].to_vec(),
            false => self.ready.drain(..limit).collect(),
        };
        let (solo, batch): (Vec<Row>, Vec<Row>) =
            claimed.into_iter().partition(|row| row.crashes > 0 || protocol.transactional == Some(row.job));
        let batches = std::iter::once(batch).filter(|batch| !batch.is_empty());
        let batches = batches.chain(solo.into_iter().map(|row| vec![row]));
        let leases: Vec<Lease> = batches
            .filter_map(|rows| {
                let started = rows.iter().all(|row| row.crashes == 0);
                let jobs = rows.into_iter().map(|row| Leased { row, settled: false, cancelled: false });
                Some(Lease { id: numbers.next()?, owner, started, jobs: jobs.collect() })
            })
            .collect();
        self.leases.extend(leases.iter().cloned());
        self.leases.sort_by_key(|lease| lease.id);
        leases
    }

    /// Notes that the suspect in that lease begins; false if the lease is lost.
    pub(crate) fn begin(&mut self, owner: RunnerId, lease: LeaseId) -> bool {
        let lease = self.leases.iter_mut().find(|l| l.owner == owner && l.id == lease);
        lease.map(|lease| lease.started = true).is_some()
    }

    /// Completes the one job of that lease; false if the lease is lost.
    pub(crate) fn complete_in(&mut self, owner: RunnerId, lease: LeaseId) -> bool {
        let leases = self.leases.len();
        self.leases.retain(|l| l.owner != owner || l.id != lease);
        self.leases.len() < leases
    }

    /// Records outcomes.
    pub(crate) fn settle(&mut self, protocol: &Protocol, settle: &Settle) -> Settled {
        if protocol.lacks(Guard::SettleFence) || protocol.lacks(Guard::LeaseNotAttempt) {
            return self.settle_unfenced(protocol, settle);
        }
        let Some(at) = self.leases.iter().position(|l| l.owner == settle.owner && l.id == settle.lease)
        else {
            return Settled::default();
        };
        let mut lease = self.leases[at].clone();
        let said = |position| settle.ends.iter().any(|(said, ..)| *said == position);
        let unsettled =
            lease.jobs.iter().zip(&settle.done).enumerate().filter(|(_, (leased, _))| !leased.settled);
        let lost = unsettled.filter(|(_, (_, done))| **done).any(|(position, _)| !said(position));
        for (position, _, outcome) in &settle.ends {
            if !lease.jobs[*position].settled {
                self.end(protocol, &lease.jobs[*position], *outcome);
            }
        }
        for (job, done) in lease.jobs.iter_mut().zip(&settle.done) {
            job.settled = if protocol.lacks(Guard::MonotoneBits) { *done } else { job.settled || *done };
        }
        if settle.whole() {
            self.leases.remove(at);
        } else {
            self.leases[at] = lease;
        }
        Settled { held: true, unfenced: false, lost }
    }

    /// The same by the numbers of the jobs, maybe with those of their attempts.
    fn settle_unfenced(&mut self, protocol: &Protocol, settle: &Settle) -> Settled {
        let mut found = Settled::default();
        for (_, row, outcome) in &settle.ends {
            let same = |leased: &Leased| {
                leased.row.job == row.job
                    && !leased.settled
                    && (protocol.lacks(Guard::SettleFence) || leased.row.attempts == row.attempts)
            };
            let Some(lease) = self.leases.iter_mut().find(|lease| lease.jobs.iter().any(same)) else {
                continue;
            };
            found.held = true;
            found.unfenced |= lease.id != settle.lease || lease.owner != settle.owner;
            let Some(leased) = lease.jobs.iter_mut().find(|leased| same(leased)) else { continue };
            let leased = leased.clone();
            lease.jobs.iter_mut().filter(|other| **other == leased).for_each(|other| other.settled = true);
            self.end(protocol, &leased, *outcome);
        }
        self.leases.retain(|lease| lease.jobs.iter().any(|leased| !leased.settled));
        found
    }

    /// Moves a claimed job to where that outcome puts it.
    fn end(&mut self, protocol: &Protocol, leased: &Leased, outcome: Outcome) {
        let row = leased.row;
        let spent = Row { attempts: row.attempts + 1, ..row };
        let goes_on = matches!(outcome, Outcome::Retry | Outcome::Snooze | Outcome::Release);
        if goes_on && leased.cancelled && !protocol.lacks(Guard::CancelMark) {
            let row = if outcome == Outcome::Retry { spent } else { row };
            return self.finish(row, End::Cancelled);
        }
        match outcome {
            Outcome::Complete => {}
            Outcome::Retry => put(&mut self.scheduled, spent),
            Outcome::Snooze => put(&mut self.scheduled, row),
            Outcome::Release => put(&mut self.ready, row),
            Outcome::Discard => self.finish(spent, End::Discarded),
        }
    }

    fn finish(&mut self, row: Row, end: End) {
        self.finished.push(Finished { row, end });
        self.finished.sort_by_key(|finished| finished.row);
    }

    /// Gives back the leases of that runner that it does not know.
    pub(crate) fn give_back(
        &mut self,
        protocol: &Protocol,
        owner: RunnerId,
        knows: impl Fn(LeaseId) -> bool,
    ) {
        let (strangers, rest) =
            std::mem::take(&mut self.leases).into_iter().partition(|l| l.owner == owner && !knows(l.id));
        self.leases = rest;
        let strangers: Vec<Lease> = strangers;
        for leased in strangers.iter().flat_map(|lease| &lease.jobs).filter(|leased| !leased.settled) {
            self.end(protocol, leased, Outcome::Release);
        }
    }

    /// Takes back what a dead runner holds, and forgets it if nothing of it is left.
    pub(crate) fn rescue(&mut self, protocol: &Protocol, dead: RunnerId, seen: &[Row]) {
        let (mut lost, rest) = std::mem::take(&mut self.leases).into_iter().partition(|l| l.owner == dead);
        self.leases = rest;
        if protocol.lacks(Guard::RescueByLease) {
            seen.iter().for_each(|row| put(&mut self.ready, spend(*row, 1)));
            lost = Vec::new();
        }
        for mut lease in lost {
            let stuck = |leased: &Leased| protocol.stuck == Some(leased.row.job) && !leased.settled;
            let is_stuck = lease.jobs.iter().any(stuck);
            let held_up = is_stuck && protocol.lacks(Guard::RescueSingly);
            for leased in lease.jobs.iter_mut().filter(|leased| !leased.settled && !held_up && !stuck(leased))
            {
                self.take_back(protocol, lease.started, leased);
                leased.settled = true;
            }
            if is_stuck {
                self.leases.push(lease);
            }
        }
        self.leases.sort_by_key(|lease| lease.id);
        if !self.leases.iter().any(|lease| lease.owner == dead) {
            self.runners[usize::from(dead)] = Registration::Absent;
        }
    }

    fn take_back(&mut self, protocol: &Protocol, started: bool, leased: &Leased) {
        let row = spend(leased.row, started.into());
        let over = row.crashes >= protocol.max_crashes || row.attempts >= protocol.most_attempts(row.job);
        if leased.cancelled && !protocol.lacks(Guard::CancelMark) {
            self.finish(row, End::Cancelled);
        } else if started && over {
            self.finish(row, End::Discarded);
        } else {
            put(&mut self.ready, row);
        }
    }

    /// Ends a job that waits, or marks one that is claimed; says whether it marked it.
    pub(crate) fn cancel(&mut self, job: Job) -> bool {
        let waiting = take(&mut self.ready, job).or_else(|| take(&mut self.scheduled, job));
        if let Some(row) = waiting {
            self.finish(row, End::Cancelled);
            return false;
        }
        let leased = self.leases.iter_mut().flat_map(|lease| &mut lease.jobs);
        let mut leased = leased.filter(|leased| leased.row.job == job && !leased.settled);
        leased.next().map(|leased| leased.cancelled = true).is_some()
    }

    /// Makes a scheduled job ready.
    pub(crate) fn promote(&mut self, job: Job) {
        if let Some(row) = take(&mut self.scheduled, job) {
            put(&mut self.ready, row);
        }
    }

    /// How many leases hold that job.
    pub(crate) fn leased(&self, job: Job) -> usize {
        let jobs = self.leases.iter().flat_map(|lease| &lease.jobs);
        jobs.filter(|leased| leased.row.job == job && !leased.settled).count()
    }

    /// The unsettled jobs in the name of that runner.
    pub(crate) fn leased_to(&self, owner: RunnerId) -> impl Iterator<Item = &Leased> {
        let leases = self.leases.iter().filter(move |lease| lease.owner == owner);
        leases.flat_map(|lease| &lease.jobs).filter(|leased| !leased.settled)
    }
}

fn spend(row: Row, by: u8) -> Row {
    Row { attempts: row.attempts + by, crashes: row.crashes + by, ..row }
}

fn put(table: &mut Vec<Row>, row: Row) {
    table.push(row);
    table.sort();
}

fn take(table: &mut Vec<Row>, job: Job) -> Option<Row> {
    table.iter().position(|row| row.job == job).map(|at| table.remove(at))
}
