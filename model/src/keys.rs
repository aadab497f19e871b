//! The key of a unique job: two producers in their transactions, the index of keys, and what becomes of the jobs. One key,
//! since none knows of another.

use stateright::{Model, Property};

/// One unfinished job per key; what may be over is its hold on it.
pub const I7: &str = "I7 at most one unfinished job holds a key";
/// Neither rolled back jobs nor rolled back keys are there.
pub const I11: &str = "I11 what was rolled back never runs";
/// A key whose job has ended would keep all others out.
pub const FREED: &str = "I13 no key outlives its job";

/// The most jobs there are, one after the other.
const MOST_JOBS: usize = 4;
const PRODUCERS: usize = 2;

/// How long a job holds its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeldWhile {
    /// Until it is claimed.
    Queued,
    /// Until it ends.
    Unfinished,
}

/// A guard of the keys, to be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyGuard {
    /// The key is inserted, and a unique index says whether there is one. Without: somebody looks, and then writes.
    Index,
    /// Who takes an expired key over names its holder. Without: whoever finds it expired takes it.
    Holder,
    /// A job that ends gives back the key that it holds. Without: the key that is called as its own was.
    OwnKey,
    /// A finished job that runs again takes its key. Without: it runs without.
    RetryTakes,
    /// Key and job are written in the producer's transaction. Without: by themselves.
    Transaction,
}

/// The keys with their rules, and maybe without one of their guards.
#[derive(Debug, Clone)]
pub struct Keys {
    /// How long a job holds its key.
    pub held_while: HeldWhile,
    /// Its hold may expire before.
    pub expires: bool,
    /// The guard that is missing.
    pub without: Option<KeyGuard>,
}

/// Everything there is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct KeyState {
    jobs: Vec<KeyJob>,
    key: Option<Holder>,
    /// What the key was before the transaction that has written it, which is still open.
    before: Option<Option<Holder>>,
    producers: [Producer; PRODUCERS],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct KeyJob {
    stage: Stage,
    /// Its hold on the key is over.
    released: bool,
    rolled_back: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Stage {
    /// In an open transaction.
    Written,
    /// Ready or scheduled, whether for the first time or again.
    Waiting,
    Claimed,
    /// Discarded or cancelled: it may run again.
    Finished,
    Gone,
}

/// The row of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Holder {
    job: usize,
    expired: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
enum Producer {
    #[default]
    Idle,
    /// It has seen who holds the key.
    Looked(Option<Holder>),
    /// Its transaction has written this job.
    Wrote(usize),
}

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyAction {
    /// A producer inserts the key, or sees who holds it.
    Look(usize),
    /// It goes on with what it has seen.
    Follow(usize),
    /// Its transaction commits.
    Commit(usize),
    /// Its transaction rolls back.
    RollBack(usize),
    /// The period of the hold passes.
    Expire,
    /// A runner claims a job.
    Claim(usize),
    /// It gives back a key that was held until the claim; it may be killed before.
    Free(usize),
    /// A job ends well.
    Complete(usize),
    /// A job ends and stays as finished.
    Discard(usize),
    /// A retry, a snooze, a release or a rescue.
    Return(usize),
    /// An operator lets a finished job run again.
    Retry(usize),
}

impl Keys {
    fn lacks(&self, guard: KeyGuard) -> bool {
        self.without == Some(guard)
    }

    /// What can happen to a job.
    fn of_job(&self, state: &KeyState, job: usize, actions: &mut Vec<KeyAction>) {
        let holds = state.committed().is_some_and(|holder| holder.job == job);
        // Whoever deletes a row that another transaction has written waits for its end.
        let waits = state.before.is_some() && holds;
        match state.jobs[job].stage {
            Stage::Waiting => actions.push(KeyAction::Claim(job)),
            Stage::Claimed => {
                actions.push(KeyAction::Return(job));
                if !waits {
                    actions.extend([KeyAction::Complete(job), KeyAction::Discard(job)]);
                    let frees = holds && self.held_while == HeldWhile::Queued;
                    actions.extend(frees.then_some(KeyAction::Free(job)));
                }
            }
            Stage::Finished if state.before.is_none() => actions.push(KeyAction::Retry(job)),
            Stage::Finished | Stage::Written | Stage::Gone => {}
        }
    }

    fn write(&self, state: &mut KeyState, producer: usize) {
        let job = state.jobs.len();
        if !self.lacks(KeyGuard::Transaction) && !self.lacks(KeyGuard::Index) {
            state.before = Some(state.key);
        }
        state.key = Some(Holder { job, expired: false });
        let stage = if self.lacks(KeyGuard::Transaction) { Stage::Waiting } else { Stage::Written };
        state.jobs.push(KeyJob { stage, released: false, rolled_back: false });
        state.producers[producer] = Producer::Wrote(job);
    }

    fn end(&self, state: &mut KeyState, job: usize, stage: Stage) {
        state.jobs[job].stage = stage;
        if state.key.is_some_and(|holder| holder.job == job) || self.lacks(KeyGuard::OwnKey) {
            state.key = None;
        }
    }

    fn follow(&self, state: &mut KeyState, producer: usize, seen: Option<Holder>) {
        state.producers[producer] = Producer::Idle;
        let takes = match seen {
            None => self.lacks(KeyGuard::Index),
            Some(seen) if !seen.expired => false,
            Some(_) if self.lacks(KeyGuard::Holder) => state.key.is_some(),
            Some(seen) => state.key == Some(seen),
        };
        if takes {
            self.write(state, producer);
        }
    }

    fn retry(&self, state: &mut KeyState, job: usize) {
        let free = state.key.is_none_or(|holder| holder.expired);
        if self.lacks(KeyGuard::RetryTakes) {
            state.jobs[job].stage = Stage::Waiting;
        } else if free {
            state.key = Some(Holder { job, expired: false });
            state.jobs[job] = KeyJob { stage: Stage::Waiting, released: false, rolled_back: false };
        }
    }
}

impl KeyState {
    /// The row of the key as others see it.
    fn committed(&self) -> Option<Holder> {
        self.before.unwrap_or(self.key)
    }

    fn is_unfinished(&self, job: usize) -> bool {
        matches!(self.jobs[job].stage, Stage::Waiting | Stage::Claimed)
    }

    fn holders(&self) -> usize {
        (0..self.jobs.len()).filter(|job| self.is_unfinished(*job) && !self.jobs[*job].released).count()
    }
}

impl Model for Keys {
    type State = KeyState;
    type Action = KeyAction;

    fn init_states(&self) -> Vec<KeyState> {
        vec![KeyState::default()]
    }

    fn actions(&self, state: &KeyState, actions: &mut Vec<KeyAction>) {
        for (p, producer) in state.producers.iter().enumerate() {
            match producer {
                // An insert waits for the end of a transaction that has inserted the same key.
                Producer::Idle if state.before != Some(None) && state.jobs.len() < MOST_JOBS => {
                    actions.push(KeyAction::Look(p));
                }
                // An update waits for the end of a transaction that has updated the row.
                Producer::Looked(_) if state.before.is_none() && state.jobs.len() < MOST_JOBS => {
                    actions.push(KeyAction::Follow(p));
                }
                Producer::Wrote(_) => actions.extend([KeyAction::Commit(p), KeyAction::RollBack(p)]),
                Producer::Idle | Producer::Looked(_) => {}
            }
        }
        if self.expires && state.before.is_none() && state.key.is_some_and(|holder| !holder.expired) {
            actions.push(KeyAction::Expire);
        }
        (0..state.jobs.len()).for_each(|job| self.of_job(state, job, actions));
    }

    fn next_state(&self, last: &KeyState, action: KeyAction) -> Option<KeyState> {
        let mut state = last.clone();
        match action {
            KeyAction::Look(p) => match state.committed() {
                None if !self.lacks(KeyGuard::Index) => self.write(&mut state, p),
                seen => state.producers[p] = Producer::Looked(seen),
            },
            KeyAction::Follow(p) => {
                if let Producer::Looked(seen) = state.producers[p] {
                    self.follow(&mut state, p, seen);
                }
            }
            KeyAction::Commit(p) => {
                if let Producer::Wrote(job) = std::mem::take(&mut state.producers[p]) {
                    if state.jobs[job].stage == Stage::Written {
                        state.jobs[job].stage = Stage::Waiting;
                    }
                    state.before = None;
                }
            }
            KeyAction::RollBack(p) => {
                if let Producer::Wrote(job) = std::mem::take(&mut state.producers[p]) {
                    state.jobs[job].rolled_back = true;
                    if state.jobs[job].stage == Stage::Written {
                        state.jobs[job].stage = Stage::Gone;
                    }
                    if let Some(before) = state.before.take() {
                        state.key = before;
                    }
                }
            }
            KeyAction::Expire => {
                if let Some(holder) = &mut state.key {
                    holder.expired = true;
                    state.jobs[holder.job].released = true;
                }
            }
            KeyAction::Claim(job) => {
                state.jobs[job].stage = Stage::Claimed;
                state.jobs[job].released |= self.held_while == HeldWhile::Queued;
            }
            KeyAction::Free(_) => state.key = None,
            KeyAction::Complete(job) => self.end(&mut state, job, Stage::Gone),
            KeyAction::Discard(job) => self.end(&mut state, job, Stage::Finished),
            KeyAction::Return(job) => state.jobs[job].stage = Stage::Waiting,
            KeyAction::Retry(job) => self.retry(&mut state, job),
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::<Self>::always(I7, |_, state| state.holders() <= 1),
            Property::<Self>::always(I11, |_, state| {
                (0..state.jobs.len()).all(|job| !state.jobs[job].rolled_back || !state.is_unfinished(job))
            }),
            Property::<Self>::always(FREED, |_, state| {
                state.committed().is_none_or(|holder| state.is_unfinished(holder.job))
            }),
            Property::<Self>::sometimes("a job has the key of one before it", |_, state| {
                state.committed().is_some_and(|holder| holder.job > 0)
            }),
            Property::<Self>::sometimes("an enqueue finds the key taken", |_, state| {
                state.producers.iter().any(|producer| matches!(producer, Producer::Looked(Some(_))))
            }),
        ];
        if self.expires {
            properties
                .push(Property::<Self>::sometimes("two are unfinished, one past its period", |_, state| {
                    (0..state.jobs.len()).filter(|job| state.is_unfinished(*job)).count() > 1
                }));
        }
        properties
    }
}
