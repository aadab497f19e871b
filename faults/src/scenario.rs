//! The scenarios: which faults, under which circumstances.

use std::time::Duration;

use crate::failover::Pair;
use crate::schedule::Kind;

/// A scenario by its name.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// As `--scenario` takes it.
    pub name: &'static str,
    /// Which faults, and how often beside each other.
    pub kinds: &'static [(Kind, u32)],
    /// How far apart they are on average.
    pub every: Duration,
    /// What is otherwise than usual.
    pub twist: Twist,
}

/// What is otherwise than usual in a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Twist {
    /// Nothing.
    None,
    /// No commit waits for the disk: what shows that a loss would be seen.
    Unsynced,
    /// The server takes 20 connections, and runners keep their usual heartbeat: none may be missed.
    FewConnections,
    /// Runners keep their usual heartbeat, and no round trip takes as long as a third of a lease: none may be missed.
    SlowNetwork,
    /// A replica follows the server, and takes its place half-way.
    Replicated(Pair),
    /// The tables are on a small disk.
    SmallDisk,
}

/// The one that runs where none is named.
pub const DEFAULT: &str = "mixed";

const SECOND: Duration = Duration::from_secs(1);

impl Twist {
    /// Whether no runner may be taken for dead.
    pub fn spares_the_living(self) -> bool {
        matches!(self, Self::FewConnections | Self::SlowNetwork)
    }
}

/// What goes wrong besides.
const BESIDE_A_FAILOVER: &[(Kind, u32)] = &[(Kind::Kill, 1), (Kind::Reset, 1), (Kind::LoseReply, 1)];

/// All of them.
pub const ALL: [Scenario; 15] = [
    Scenario {
        name: DEFAULT,
        kinds: &[
            (Kind::Kill, 12),
            (Kind::Pause, 7),
            (Kind::Terminate, 5),
            (Kind::TerminateTwice, 2),
            (Kind::Reset, 12),
            (Kind::HalfOpen, 5),
            (Kind::CutMessage, 14),
            (Kind::LoseReply, 14),
            (Kind::BlackHole, 5),
            (Kind::Latency, 5),
            (Kind::Throttle, 4),
            (Kind::Refuse, 4),
            (Kind::EndSessions, 8),
            (Kind::CancelStatements, 6),
            (Kind::KillListeners, 4),
            (Kind::LockTable, 3),
            (Kind::Deadlock, 4),
            (Kind::StatementTimeout, 1),
            (Kind::LockTimeout, 1),
            (Kind::Serializable, 1),
            (Kind::PinSnapshot, 2),
            (Kind::DropFutures, 3),
            (Kind::StopImmediate, 1),
            (Kind::KillBackend, 1),
            (Kind::KillServer, 1),
        ],
        every: Duration::from_millis(400),
        twist: Twist::None,
    },
    Scenario {
        name: "killed",
        kinds: &[(Kind::Kill, 1)],
        every: Duration::from_millis(700),
        twist: Twist::None,
    },
    Scenario { name: "paused", kinds: &[(Kind::Pause, 1)], every: SECOND, twist: Twist::None },
    Scenario {
        name: "server-crash",
        kinds: &[(Kind::StopImmediate, 1), (Kind::KillBackend, 1), (Kind::KillServer, 1)],
        every: Duration::from_secs(4),
        twist: Twist::None,
    },
    Scenario {
        name: "control",
        kinds: &[(Kind::KillWalWriter, 1)],
        every: Duration::from_secs(4),
        twist: Twist::Unsynced,
    },
    Scenario {
        name: "cut",
        kinds: &[(Kind::Reset, 1), (Kind::CutMessage, 2), (Kind::LoseReply, 2), (Kind::HalfOpen, 1)],
        every: Duration::from_millis(300),
        twist: Twist::None,
    },
    Scenario {
        name: "unreachable",
        kinds: &[(Kind::BlackHole, 2), (Kind::Latency, 2), (Kind::Throttle, 1), (Kind::Refuse, 1)],
        every: Duration::from_millis(800),
        twist: Twist::None,
    },
    Scenario {
        name: "sessions",
        kinds: &[
            (Kind::KillListeners, 2),
            (Kind::EndSessions, 2),
            (Kind::CancelStatements, 2),
            (Kind::LockTable, 1),
            (Kind::Deadlock, 2),
            (Kind::StatementTimeout, 1),
            (Kind::LockTimeout, 1),
            (Kind::Serializable, 1),
            (Kind::DropFutures, 1),
        ],
        every: Duration::from_millis(500),
        twist: Twist::None,
    },
    Scenario { name: "slow", kinds: &[(Kind::Latency, 1)], every: SECOND, twist: Twist::SlowNetwork },
    Scenario {
        name: "storm",
        kinds: &[(Kind::ConnectionStorm, 1)],
        every: Duration::from_secs(3),
        twist: Twist::FewConnections,
    },
    Scenario {
        name: "pinned",
        kinds: &[(Kind::PinSnapshot, 1)],
        every: Duration::from_secs(2),
        twist: Twist::None,
    },
    Scenario {
        name: "shutdown",
        kinds: &[(Kind::Terminate, 2), (Kind::TerminateTwice, 1)],
        every: Duration::from_millis(500),
        twist: Twist::None,
    },
    Scenario {
        name: "failover",
        kinds: BESIDE_A_FAILOVER,
        every: Duration::from_secs(2),
        twist: Twist::Replicated(Pair::Synchronous),
    },
    Scenario {
        name: "failover-asynchronous",
        kinds: BESIDE_A_FAILOVER,
        every: Duration::from_secs(2),
        twist: Twist::Replicated(Pair::Asynchronous),
    },
    Scenario {
        name: "disk-full",
        kinds: &[(Kind::FillDisk, 1)],
        every: Duration::from_secs(3),
        twist: Twist::SmallDisk,
    },
];

/// The one of that name.
pub fn find(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}
