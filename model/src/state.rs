use crate::{MOST_JOBS, RUNNERS};

/// A job, by its number.
pub type Job = u8;
/// A runner, by its number.
pub type RunnerId = u8;
/// A lease. The real ones are unique for ever; here a number that nobody remembers is used again.
pub type LeaseId = u8;

/// Everything there is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// The tables.
    pub database: Database,
    /// The processes.
    pub runners: [Runner; RUNNERS],
    /// The runner that the rescuer has found dead and not yet rescued, with the jobs it saw there.
    pub judged: Option<(RunnerId, Vec<Row>)>,
    /// A statement whose connection was lost before the server came to it.
    pub delayed: Option<Delayed>,
    /// How many more faults there may be; none: any number.
    pub faults_left: Option<u8>,
    /// What happened, as far as the invariants ask.
    pub history: History,
}

/// The tables.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Database {
    /// Due and unclaimed.
    pub ready: Vec<Row>,
    /// Waiting for their time.
    pub scheduled: Vec<Row>,
    /// The claimed ones.
    pub leases: Vec<Lease>,
    /// Discarded and cancelled.
    pub finished: Vec<Finished>,
    /// The rows of the runners.
    pub runners: [Registration; RUNNERS],
}

/// A job's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Row {
    /// Which one.
    pub job: Job,
    /// Spent so far.
    pub attempts: u8,
    /// How many of its runners died.
    pub crashes: u8,
}

/// A claimed batch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lease {
    /// Its number.
    pub id: LeaseId,
    /// Whose it is.
    pub owner: RunnerId,
    /// False: a job that was aboard a crash, and has not begun again.
    pub started: bool,
    /// Its jobs.
    pub jobs: Vec<Leased>,
}

/// A job of a lease.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Leased {
    /// As it was when it was claimed.
    pub row: Row,
    /// Its outcome is recorded.
    pub settled: bool,
    /// Somebody asked to cancel it.
    pub cancelled: bool,
}

/// A job that has ended and left its row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Finished {
    /// Its row.
    pub row: Row,
    /// How it ended.
    pub end: End,
}

/// How a job ends that does not complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// It failed for good.
    Discarded,
    /// Somebody cancelled it.
    Cancelled,
}

/// A runner's row, by the database's clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Registration {
    /// Its heartbeat is young.
    #[default]
    Fresh,
    /// Its heartbeat is so old that others take it for dead.
    Stale,
    /// There is none.
    Absent,
}

/// A process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Runner {
    /// Whether it lives.
    pub life: Life,
    /// The leases in its memory.
    pub hand: Vec<Held>,
}

/// Whether a process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Life {
    /// It does.
    Up,
    /// It is stopped, and does not know it.
    Paused,
    /// It goes on after a pause, and no heartbeat told it yet what became of its leases.
    Late,
    /// It was killed.
    Down,
}

/// A lease in a runner's memory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Held {
    /// Which one.
    pub lease: LeaseId,
    /// It is in the ledger: its outcomes are recorded.
    pub known: bool,
    /// Its jobs.
    pub jobs: Vec<InHand>,
}

/// A job in a runner's memory.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InHand {
    /// As it was claimed. Of a job that has ended only which one it is is remembered.
    pub row: Row,
    /// How far it is.
    pub phase: Phase,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// It was aboard a crash; that it begins must be noted first.
    Waiting,
    /// Its handler runs.
    Running,
    /// Its handler has ended.
    Ended(Outcome),
    /// The outcome is recorded. It is remembered until that of the whole lease is: a crash of the server may undo it.
    Recorded(Outcome),
}

/// What becomes of a job after a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// It is gone.
    Complete,
    /// Later, and the attempt is spent.
    Retry,
    /// It ends, and the attempt is spent.
    Discard,
    /// Later, and no attempt is spent.
    Snooze,
    /// It goes back as it was.
    Release,
}

/// A statement that the server comes to when its sender has given it up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Delayed {
    /// A claim of at most so many.
    Claim(RunnerId, u8),
    /// A settle.
    Settle(Settle),
}

/// What a settle says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Settle {
    /// Whose lease.
    pub owner: RunnerId,
    /// Which one.
    pub lease: LeaseId,
    /// The positions that are settled with it or were before.
    pub done: Vec<bool>,
    /// What was not yet recorded: the position, the job and attempts it was claimed with, and the outcome.
    pub ends: Vec<(usize, Row, Outcome)>,
}

impl Settle {
    /// All jobs of the lease have ended.
    #[must_use]
    pub fn whole(&self) -> bool {
        self.done.iter().all(|done| *done)
    }
}

/// What the invariants ask of the past.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct History {
    /// A job left the tables that no outcome was recorded of.
    pub lost: bool,
    /// A settle changed a job that its lease did not hold.
    pub unfenced: bool,
    /// How often the effect of the transactional job is there; two stand for more.
    pub effects: u8,
    /// The jobs somebody asked to cancel while they ran.
    pub asked: [bool; MOST_JOBS],
    /// The jobs whose handlers have started, and nothing has happened since for which they would start again.
    pub started: [bool; MOST_JOBS],
    /// One of them did.
    pub unexplained: bool,
}
