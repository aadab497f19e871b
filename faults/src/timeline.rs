//! What was done to whom, and when.

use std::path::PathBuf;

use crate::history::Micros;
use crate::schedule::Kind;

/// Which process: an index into [`Timeline::processes`].
pub type Process = usize;

/// A worker process.
#[derive(Debug, Clone)]
pub struct Born {
    /// Which worker it was one of.
    pub side: usize,
    /// Its process id.
    pub pid: u32,
    /// When it was started, or a moment before.
    pub since: Micros,
    /// Its history.
    pub history: PathBuf,
    /// When it was killed, if it was.
    pub killed: Option<Micros>,
}

/// A time during which something was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disruption {
    /// What.
    pub kind: Kind,
    /// From when.
    pub from: Micros,
    /// Until when; what is over at once ends as it begins.
    pub until: Micros,
    /// Which worker met it; none: all of them.
    pub side: Option<usize>,
}

/// All of it.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    /// Every worker process there was.
    pub processes: Vec<Born>,
    /// Every fault.
    pub disruptions: Vec<Disruption>,
    /// When the faults were over.
    pub healed: Micros,
    /// How often a runner says that it lives.
    pub heartbeat: Micros,
    /// When outcomes of which process were refused whose claim a crash of the server had undone.
    pub undone: Vec<(Process, Micros)>,
}

impl Timeline {
    /// Which process had that id then. Ids are given out again, within an hour of so many workers.
    pub fn process(&self, pid: u32, at: Micros) -> Option<Process> {
        self.processes.iter().rposition(|born| born.pid == pid && born.since <= at)
    }
}

impl Kind {
    /// Whether the server forgets what was not on its disk.
    pub fn crashes_server(self) -> bool {
        matches!(
            self,
            Self::StopImmediate | Self::KillBackend | Self::KillServer | Self::KillWalWriter | Self::FailOver
        )
    }
}

impl Disruption {
    /// Whether it touched that worker in that time.
    fn touched(&self, side: usize, from: Micros, until: Micros) -> bool {
        self.side.is_none_or(|met| met == side) && self.from <= until && self.until >= from
    }
}

impl Timeline {
    /// Whether the server crashed between the two.
    pub fn crashed_between(&self, from: Micros, until: Micros) -> bool {
        self.disruptions.iter().any(|it| it.kind.crashes_server() && it.from <= until && it.until >= from)
    }

    /// Whether that process had a claim in that time that a crash of the server had undone.
    pub fn had_undone_claim(&self, process: Process, from: Micros, until: Micros) -> bool {
        self.undone.iter().any(|(of, at)| *of == process && (from..=until).contains(at))
    }

    /// The last fault that touched that worker in that time.
    pub fn last_touching(&self, side: usize, from: Micros, until: Micros) -> Option<&Disruption> {
        self.disruptions.iter().filter(|it| it.touched(side, from, until)).max_by_key(|it| it.from)
    }
}
