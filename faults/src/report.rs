//! What a run found, for people and programs.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::evidence::Findings;
use crate::schedule::Kind;

/// One scenario that has run.
#[derive(Debug)]
pub struct Report {
    /// Its name.
    pub scenario: &'static str,
    /// What its schedule was made from.
    pub seed: u64,
    /// How long all of it took.
    pub took: Duration,
    /// How many of which fault there were.
    pub faults: BTreeMap<Kind, u64>,
    /// What was found.
    pub findings: Findings,
    /// What is wrong beside the jobs, or could not be done.
    pub troubles: Vec<String>,
    /// How long it took after the faults until no job was left.
    pub drained: Duration,
    /// How often the workers say that they live.
    pub heartbeat: Duration,
    /// Losses are what it is about.
    pub control: bool,
}

impl Report {
    /// Whether everything is as promised.
    pub fn is_good(&self) -> bool {
        let verdict = &self.findings.verdict;
        let lost_as_it_should = !self.control || !verdict.lost_with_reason.is_empty();
        verdict.is_good() && self.troubles.is_empty() && lost_as_it_should
    }

    /// How many faults there were.
    pub fn fault_count(&self) -> u64 {
        self.faults.values().sum()
    }

    /// One line.
    pub fn line(&self) -> String {
        let found = &self.findings;
        let verdict = &found.verdict;
        let p99 = |micros: Option<u64>| micros.map_or("-".into(), |micros| format!("{:.3}", seconds(micros)));
        let control = match verdict.lost_with_reason.len() {
            0 => String::new(),
            lost => format!(" ({lost} that were not synced)"),
        };
        format!(
            "{}: seed {}, {} faults, {} jobs, lost {}{control}, unexpected {}, duplicates {} explained {} unexplained, \
             illegal overlaps {}, stale settles refused {}, longest recovery {:.2} s, pick-up p99 {} s during and {} s after: {}",
            self.scenario,
            self.seed,
            self.fault_count(),
            verdict.jobs,
            verdict.lost,
            verdict.unexpected,
            verdict.duplicates_explained(),
            verdict.unexplained,
            verdict.overlaps,
            found.stale,
            seconds(verdict.recovery),
            p99(found.pickups.p99_during()),
            p99(found.pickups.p99_after()),
            if self.is_good() { "good" } else { "BAD" },
        )
    }

    /// What is wrong, and why jobs ran again.
    pub fn details(&self) -> String {
        let mut text = String::new();
        let mut add = |line: std::fmt::Arguments<'_>| {
            // A String takes everything.
            let _ = writeln!(text, "  {line}");
        };
        for (cause, count) in &self.findings.verdict.explained {
            add(format_args!("{count} ran again: {}", cause.text()));
        }
        let verdict = &self.findings.verdict;
        if verdict.discarded_after_crashes > 0 {
            add(format_args!("{} discarded, aboard of three crashes", verdict.discarded_after_crashes));
        }
        if !verdict.lost_with_reason.is_empty() {
            let ids: Vec<String> = verdict.lost_with_reason.iter().map(|(_, id)| id.to_string()).collect();
            add(format_args!("lost, not synced when the server died, with the ids {}", ids.join(" ")));
        }
        for trouble in self.troubles.iter().chain(&verdict.findings) {
            add(format_args!("! {trouble}"));
        }
        text
    }

    /// One object.
    pub fn json(&self) -> Value {
        let found = &self.findings;
        let verdict = &found.verdict;
        json!({
            "scenario": self.scenario,
            "good": self.is_good(),
            "seed": self.seed,
            "seconds": self.took.as_secs_f64(),
            "faults": self.fault_count(),
            "jobs": verdict.jobs,
            "enqueues_unknown": verdict.unknown,
            "lost": verdict.lost,
            "lost_unsynced": verdict.lost_with_reason.iter().map(|(_, id)| id).collect::<Vec<_>>(),
            "unexpected": verdict.unexpected,
            "duplicates_explained": verdict.duplicates_explained(),
            "duplicates_unexplained": verdict.unexplained,
            "overlaps_illegal": verdict.overlaps,
            "overlaps_after_lease": verdict.overlapping_runs,
            "discarded_after_crashes": verdict.discarded_after_crashes,
            "stale_refused": found.stale,
            "rescued": found.rescued,
            "longest_recovery_s": seconds(verdict.recovery),
            "heartbeat_s": self.heartbeat.as_secs_f64(),
            "drained_s": self.drained.as_secs_f64(),
            "pickup_p99_during_s": found.pickups.p99_during().map(seconds),
            "pickup_p99_after_s": found.pickups.p99_after().map(seconds),
            "fault_kinds": self.faults.iter().map(|(kind, count)| (kind.name(), json!(count))).collect::<serde_json::Map<_, _>>(),
            "causes": verdict.explained.iter().map(|(cause, count)| (cause.text().to_owned(), json!(count))).collect::<serde_json::Map<_, _>>(),
            "troubles": self.troubles.iter().chain(&verdict.findings).collect::<Vec<_>>(),
        })
    }
}

/// All scenarios of a run as Markdown.
pub fn markdown(reports: &[Report]) -> String {
    let mut text = String::from(
        "| scenario | seed | seconds | faults | jobs | lost | unexpected | duplicates explained | unexplained | illegal overlaps | stale settles refused | longest recovery, s | pick-up p99 during, s | after, s |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let p99 = |micros: Option<u64>| micros.map_or("-".into(), |micros| format!("{:.3}", seconds(micros)));
    for report in reports {
        let (found, verdict) = (&report.findings, &report.findings.verdict);
        let lost = match verdict.lost_with_reason.len() {
            0 => verdict.lost.to_string(),
            unsynced => format!("{}, and {unsynced} not synced", verdict.lost),
        };
        let _ = writeln!(
            text,
            "| {} | {} | {:.0} | {} | {} | {lost} | {} | {} | {} | {} | {} | {:.2} | {} | {} |",
            report.scenario,
            report.seed,
            report.took.as_secs_f64(),
            report.fault_count(),
            verdict.jobs,
            verdict.unexpected,
            verdict.duplicates_explained(),
            verdict.unexplained,
            verdict.overlaps,
            found.stale,
            seconds(verdict.recovery),
            p99(found.pickups.p99_during()),
            p99(found.pickups.p99_after()),
        );
    }
    for report in reports {
        let _ = writeln!(
            text,
            "\n{}: heartbeats every {:?}; drained {:.1} s after the last fault.\n",
            report.scenario,
            report.heartbeat,
            report.drained.as_secs_f64()
        );
        let _ = writeln!(text, "| fault | times |\n|---|---|");
        for (kind, count) in &report.faults {
            let _ = writeln!(text, "| {} | {count} |", kind.name());
        }
        let _ = writeln!(text, "\n| why a job ran again | times |\n|---|---|");
        for (cause, count) in &report.findings.verdict.explained {
            let _ = writeln!(text, "| {} | {count} |", cause.text());
        }
        if !report.findings.verdict.lost_with_reason.is_empty() {
            let ids = report.findings.verdict.lost_with_reason.iter().map(|(_, id)| id.to_string());
            let ids: Vec<String> = ids.collect();
            let _ =
                writeln!(text, "\nLost, not synced when the server died, with the ids {}.", ids.join(", "));
        }
        let details: Vec<&String> = report.troubles.iter().chain(&report.findings.verdict.findings).collect();
        for trouble in details {
            let _ = writeln!(text, "\n- {trouble}");
        }
    }
    text
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}
