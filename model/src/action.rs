use crate::{Job, LeaseId, Outcome, RunnerId};

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// A killed runner's successor starts, once nothing of the old one is left.
    Start(RunnerId),
    /// A runner asks for as many jobs as it has free slots.
    Claim(RunnerId, Network),
    /// It notes that a job that was aboard a crash begins.
    Begin(RunnerId, LeaseId, Network),
    /// The handler of the job at that position of that lease ends.
    End(RunnerId, LeaseId, usize, Outcome),
    /// The handler of a transactional job completes it in its own transaction.
    CompleteIn(RunnerId, LeaseId, Network),
    /// A runner records what ended in a lease.
    Settle(RunnerId, LeaseId, Network),
    /// It gives up recording it.
    GiveUp(RunnerId, LeaseId),
    /// It gives back the leases in its name that it does not know.
    GiveBackStrangers(RunnerId),
    /// Its heartbeat reaches the database.
    Beat(RunnerId),
    /// Its heartbeat has not reached the database for so long that others take it for dead.
    Expire(RunnerId),
    /// It is killed.
    Crash(RunnerId),
    /// It is stopped, and does not know it.
    Pause(RunnerId),
    /// It goes on.
    Resume(RunnerId),
    /// The rescuer finds it dead.
    Judge(RunnerId),
    /// The rescuer takes back what it held.
    Rescue,
    /// Somebody cancels a job.
    Cancel(Job),
    /// A job's time has come.
    Promote(Job),
    /// The server comes to a statement whose sender has given it up.
    Deliver,
}

/// What the network and the server make of a statement. One that the server never sees changes nothing, so it is none
/// of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Network {
    /// It is performed and answered.
    Clean,
    /// It is performed; the answer is lost with the connection.
    ReplyLost,
    /// The connection is lost; the server performs it later.
    Delayed,
    /// It is performed and answered; then a crash of the server undoes it.
    Undone,
}
