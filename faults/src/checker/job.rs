use std::collections::{HashMap, HashSet};

use super::Tenure;
use super::cause::SETTLE;
use crate::history::{End, Id, Micros};
use crate::timeline::Process;

/// What is known of one job of the load.
#[derive(Debug, Default)]
pub(super) struct Job {
    pub(super) invoked: u32,
    pub(super) failed: u32,
    pub(super) unknown: Vec<Micros>,
    pub(super) acknowledged: Vec<(Id, Micros)>,
    pub(super) runs: Vec<Run>,
    pub(super) effects: u32,
    pub(super) ends_without_start: u32,
}

/// One run of a handler.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) process: Process,
    pub(super) id: Id,
    pub(super) attempt: i16,
    pub(super) waited: Option<Micros>,
    pub(super) started: Micros,
    pub(super) ended: Option<(Micros, End)>,
    /// Which of the job's tenures it ran in; none if the server knows of none, as when a crash undid the claim.
    pub(super) tenure: Option<usize>,
}

impl Job {
    /// Finds the tenure of each run: the last of its process that had begun. A handler starts at most once in each, and not
    /// after its own process gave the job back: then a crash of the server has undone the claim that it started by.
    pub(super) fn match_tenures(&mut self, tenures: &HashMap<Id, Vec<Tenure>>) {
        if self.runs.len() < 2 {
            return;
        }
        let mut taken = HashSet::new();
        for run in &mut self.runs {
            let Some(held) = tenures.get(&run.id) else { continue };
            let mine = |tenure: &Tenure| tenure.process == Some(run.process) && tenure.claimed <= run.started;
            let found = held.iter().rposition(mine);
            let given_back = |at: &usize| {
                let ended = held[*at].ended.as_ref();
                ended.is_some_and(|(ended, session)| session == SETTLE && *ended < run.started)
            };
            run.tenure = found.filter(|at| !given_back(at) && taken.insert((run.id, *at)));
        }
    }
}

impl Run {
    /// When it came into its process's hands, as far as that is known.
    pub(super) fn order(&self, held: &[Tenure]) -> Micros {
        self.tenure.map_or(self.started, |tenure| held[tenure].claimed)
    }
}
