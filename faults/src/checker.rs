//! Judges a run by what all of its processes wrote and what the server itself saw: nothing that was acknowledged is lost,
//! nothing runs that should not, and what runs twice has its cause on record.

mod cause;
mod job;
mod pickup;
mod recovery;
mod refusal;
#[cfg(test)]
mod tests;
mod verdict;

use std::collections::{BTreeMap, HashMap, HashSet};

pub use cause::Cause;
pub use pickup::Pickups;
pub use recovery::Recovery;
pub use refusal::Refusal;
pub use verdict::Verdict;

use crate::history::{End, Event, Id, Micros, Number};
use crate::timeline::{Process, Timeline};
use job::{Job, Run};

/// Who held a job, by the server's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenure {
    /// Which lease.
    pub lease: u128,
    /// The process of its runner; none if that is not known.
    pub process: Option<Process>,
    /// Since when.
    pub claimed: Micros,
    /// Until when, and which session ended it.
    pub ended: Option<(Micros, String)>,
    /// The last heartbeat of its runner before that.
    pub beat: Option<Beat>,
}

/// A heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beat {
    /// When it began, by the server's clock.
    pub at: Micros,
    /// Its session held the lock of its runner.
    pub locked: bool,
}

/// A job that is still in the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// Where it is.
    pub state: String,
    /// How many attempts it has spent, of how many.
    pub attempts: (i16, i16),
    /// How many crashes it was aboard of.
    pub crashes: i16,
    /// Why it ended.
    pub reason: String,
}

/// What the server knows when everything is over.
#[derive(Debug, Default)]
pub struct Tables {
    /// What is still there.
    pub leftovers: HashMap<Id, Leftover>,
    /// How often effects were made in the transaction of their completion.
    pub effects: HashMap<Number, i64>,
}

/// What can be lost without being a fault of ours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allowances {
    /// Commits within this time before a crash or a failover may be gone: they were not on the disk, or not on the other
    /// server.
    pub unsynced: Option<Micros>,
}

/// The runner's own commits do not wait: they are on the disk after this time.
const ASYNCHRONOUS_COMMIT: Micros = 2_000_000;

/// Reads the histories of some of the jobs. A large run is judged in parts, so that it fits into memory.
#[derive(Debug, Default)]
pub struct Checker {
    jobs: HashMap<Number, Job>,
}

impl Checker {
    /// Takes note of an event in a worker, or in the producers.
    pub fn note(&mut self, process: Option<Process>, at: Micros, event: Event) {
        let Some(n) = event.number() else { return };
        let job = self.jobs.entry(n).or_default();
        match event {
            Event::Invoked { .. } => job.invoked += 1,
            Event::Acknowledged { id, .. } => job.acknowledged.push((id, at)),
            Event::Failed { .. } => job.failed += 1,
            Event::Unknown { .. } => job.unknown.push(at),
            Event::Started { id, attempt, waited, .. } => {
                let process = process.unwrap_or_default();
                job.runs.push(Run { process, id, attempt, waited, started: at, ended: None, tenure: None });
            }
            Event::Ended { id, end, .. } => {
                let mine =
                    |run: &&mut Run| Some(run.process) == process && run.id == id && run.ended.is_none();
                match job.runs.iter_mut().rev().find(mine) {
                    Some(run) => run.ended = Some((at, end)),
                    None => job.ends_without_start += 1,
                }
            }
            Event::Effect { .. } => job.effects += 1,
            Event::Stale { .. } | Event::Counts { .. } => {}
        }
    }

    /// The jobs that ran more than once, whose leases must be known.
    pub fn repeated(&self) -> Vec<Id> {
        let repeated = self.jobs.values().filter(|job| job.runs.len() > 1);
        let ids: HashSet<Id> = repeated.flat_map(|job| job.runs.iter().map(|run| run.id)).collect();
        ids.into_iter().collect()
    }

    /// Judges them.
    pub fn judge(
        mut self,
        timeline: &Timeline,
        tenures: &HashMap<Id, Vec<Tenure>>,
        tables: &Tables,
        allowances: Allowances,
        pickups: &mut Pickups,
    ) -> Verdict {
        let mut verdict = Verdict::default();
        let jobs: BTreeMap<Number, Job> = self.jobs.drain().collect();
        for (n, mut job) in jobs {
            job.runs.sort_by_key(|run| run.started);
            if let Some(waited) = job.runs.first().and_then(|run| run.waited) {
                pickups.note(job.runs[0].started, waited, timeline.healed);
            }
            job.match_tenures(tenures);
            judge_existence(n, &job, &mut verdict);
            judge_end(n, &job, timeline, tables, allowances, &mut verdict);
            judge_repeats(n, &job, timeline, tenures, allowances, &mut verdict);
        }
        verdict
    }
}

/// What never was enqueued must not run.
fn judge_existence(n: Number, job: &Job, verdict: &mut Verdict) {
    verdict.jobs += u64::try_from(job.acknowledged.len()).unwrap_or(u64::MAX);
    verdict.unknown += u64::try_from(job.unknown.len()).unwrap_or(u64::MAX);
    let might_exist = job.invoked > job.failed;
    if !job.runs.is_empty() && !might_exist {
        verdict.unexpected(format!(
            "job {n} ran, and its enqueue was {}",
            if job.invoked == 0 { "never begun" } else { "refused" }
        ));
    }
    if job.ends_without_start > 0 {
        verdict.unexpected(format!("job {n} ended without having started"));
    }
    let ids: HashSet<Id> = job.runs.iter().map(|run| run.id).collect();
    let acknowledged: HashSet<Id> = job.acknowledged.iter().map(|(id, _)| *id).collect();
    let strange = ids.difference(&acknowledged).count();
    if strange > job.unknown.len() {
        verdict.unexpected(format!("job {n} exists {strange} times beside those that were acknowledged"));
    }
    let extra = ids.len().saturating_sub(1);
    for _ in 0..extra {
        match job.unknown.is_empty() {
            false => verdict.explained(Cause::AmbiguousEnqueue),
            true => verdict.unexplained(format!("job {n} was enqueued once and exists {} times", ids.len())),
        }
    }
}

/// What was acknowledged must have ended.
fn judge_end(
    n: Number,
    job: &Job,
    timeline: &Timeline,
    tables: &Tables,
    allowances: Allowances,
    verdict: &mut Verdict,
) {
    let effects = tables.effects.get(&n).copied().unwrap_or_default();
    let ids: HashSet<Id> =
        job.acknowledged.iter().map(|(id, _)| *id).chain(job.runs.iter().map(|run| run.id)).collect();
    if effects > i64::try_from(ids.len()).unwrap_or(i64::MAX) {
        verdict.unexplained(format!("the effect of job {n} is there {effects} times"));
    }
    for id in &ids {
        if let Some(leftover) = tables.leftovers.get(id) {
            judge_leftover(n, leftover, verdict);
        }
    }
    for (id, at) in &job.acknowledged {
        let completed = job.runs.iter().any(|run| run.id == *id && run.completed());
        if effects > 0 || completed && job.effects > 0 || tables.leftovers.contains_key(id) {
            continue;
        }
        // Committed just before the crash, without waiting for a disk or another server.
        let excused = allowances.unsynced.is_some_and(|window| timeline.crashed_between(*at, at + window));
        if excused {
            verdict.lost_with_reason.push((n, *id));
        } else {
            let what = if completed { "completed, and its effect is missing" } else { "never ended" };
            verdict.lost(format!("job {n} (id {id}) was acknowledged and {what}"));
        }
    }
}

/// What is still there must have ended as the rules say.
fn judge_leftover(n: Number, leftover: &Leftover, verdict: &mut Verdict) {
    if leftover.attempts.0 > leftover.attempts.1 {
        verdict.unexpected(format!("job {n} has spent {:?} attempts", leftover.attempts));
    }
    match leftover.state.as_str() {
        "discarded" if leftover.crashes >= 3 => verdict.discarded_after_crashes += 1,
        "completed" => {}
        state => verdict.lost(format!("job {n} is still {state}: {}", leftover.reason)),
    }
}

/// What ran again must have its cause, and must not have run beside itself while its lease was good.
fn judge_repeats(
    n: Number,
    job: &Job,
    timeline: &Timeline,
    tenures: &HashMap<Id, Vec<Tenure>>,
    allowances: Allowances,
    verdict: &mut Verdict,
) {
    let unsynced = allowances.unsynced.unwrap_or(ASYNCHRONOUS_COMMIT);
    let ids: HashSet<Id> = job.runs.iter().map(|run| run.id).collect();
    for id in ids {
        let held = tenures.get(&id).map_or(&[][..], Vec::as_slice);
        for pair in held.windows(2) {
            if pair[0].ended.as_ref().is_none_or(|(ended, _)| *ended > pair[1].claimed) {
                verdict.overlap(format!("job {n} (id {id}) was claimed while another lease held it"));
            }
        }
        let mut runs: Vec<&Run> = job.runs.iter().filter(|run| run.id == id).collect();
        runs.sort_by_key(|run| (run.order(held), run.started));
        for pair in runs.windows(2) {
            let (earlier, later) = (pair[0], pair[1]);
            if later.started < earlier.ended.map_or(earlier.started, |(at, _)| at) {
                verdict.overlapping_runs += 1;
            }
            if later.attempt < earlier.attempt && !timeline.crashed_between(earlier.started, later.started) {
                verdict.unexpected(format!("job {n} (id {id}) forgot an attempt: {earlier:?}, {later:?}"));
            }
            match cause::of(earlier, later, held, timeline, unsynced) {
                Some(Cause::Told) => {}
                Some(cause) => {
                    verdict.explained(cause);
                    verdict.recovery = verdict.recovery.max(recovery::of_repeat(earlier, later, timeline));
                }
                None => verdict
                    .unexplained(format!("job {n} (id {id}) ran again: {earlier:?}, {later:?}, {held:?}")),
            }
        }
    }
}

impl Event {
    /// Which job it is about.
    pub fn number(&self) -> Option<Number> {
        match *self {
            Self::Invoked { n }
            | Self::Acknowledged { n, .. }
            | Self::Failed { n }
            | Self::Unknown { n }
            | Self::Started { n, .. }
            | Self::Effect { n, .. }
            | Self::Ended { n, .. } => Some(n),
            Self::Stale { .. } | Self::Counts { .. } => None,
        }
    }
}

impl Run {
    fn completed(&self) -> bool {
        matches!(self.ended, Some((_, End::Complete)))
    }
}
