/// A guard of the protocol, to be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Guard {
    /// A settle names its lease and its runner. Without: it ends its jobs in whatever lease they are.
    SettleFence,
    /// The fence is the lease. Without: it is the number of the attempt, which a release or a snooze leaves as it was.
    LeaseNotAttempt,
    /// A settle keeps the bits of those before it. Without: one that comes late takes them back.
    MonotoneBits,
    /// Every settle says again all outcomes of its lease. Without: its bits are set also of jobs whose outcomes were
    /// recorded before and a crash of the server has undone.
    AllOutcomes,
    /// A rescue takes what the lease holds when it is locked. Without: the jobs that it saw when it found the runner dead.
    RescueByLease,
    /// Each row of a lease that cannot be rescued whole is tried on its own. Without: it holds up the others.
    RescueSingly,
    /// Dead runners are looked for all the time. Without: only when a runner starts.
    RescueAlways,
    /// A claim takes no more than it asked for. Without: it takes all that is ready.
    ClaimLimit,
    /// A claim takes a job out of ready. Without: it copies it.
    ClaimTakes,
    /// A runner that cannot say that it lives drops its jobs before others may take them. Without: its heartbeat shares
    /// a runtime with handlers that block, and its jobs go on.
    Deadline,
    /// A runner gives back leases in its name that it does not know. Without: they stay.
    Strangers,
    /// A transactional job is completed in the transaction of its effect. Without: the effect comes first, by itself.
    OneTransaction,
    /// A retry, snooze, release or rescue of a cancelled job ends it. Without: it goes on.
    CancelMark,
}
