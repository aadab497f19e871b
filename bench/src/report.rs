//! What a run prints, and the report that it leaves.

mod chart;
mod grid;
mod json;
mod markdown;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::harness::Harness;
use crate::server::Settings;
use crate::workloads::WorkloadResult;

/// How pgq's own sessions commit: a setting of the runner, not of the server.
const RUNNER_COMMITS: &str = "off";

/// All workloads of a run.
pub(crate) struct Report {
    results: Vec<WorkloadResult>,
    settings: Settings,
    rounds: u32,
    directory: PathBuf,
    print: Print,
}

/// For whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Print {
    People,
    Programs,
}

impl Report {
    pub(crate) fn new(harness: &Harness) -> Self {
        let options = &harness.options;
        Self {
            results: Vec::new(),
            settings: harness.server.settings.clone(),
            rounds: options.rounds,
            directory: options.report.clone().unwrap_or_else(default_directory),
            print: if options.json { Print::Programs } else { Print::People },
        }
    }

    /// What a workload showed, as it is printed.
    pub(crate) fn text(&self, result: &WorkloadResult) -> String {
        match self.print {
            Print::Programs => json::line(result, self.rounds, &self.settings).to_string(),
            Print::People => {
                format!("\n{}: {}\n\n{}\n{}", result.name, result.about, grid::terminal(result), grid::KEY)
            }
        }
    }

    /// Keeps it for the report.
    pub(crate) fn add(&mut self, result: WorkloadResult) {
        self.results.push(result);
    }

    /// Writes the Markdown and the charts.
    pub(crate) fn write(&self) -> Result<()> {
        std::fs::create_dir_all(&self.directory)
            .with_context(|| format!("cannot make {}", self.directory.display()))?;
        let charts = chart::write_all(&self.directory, &self.results)?;
        let text = markdown::text(&self.results, self.rounds, &self.settings, &charts);
        let path = self.directory.join("report.md");
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        if self.print == Print::People {
            println!("\nserver: {}", settings_text(&self.settings));
        }
        eprintln!("report: {}", path.display());
        Ok(())
    }
}

fn default_directory() -> PathBuf {
    let bench = Path::new(env!("CARGO_MANIFEST_DIR"));
    bench.parent().unwrap_or(bench).join("target/bench")
}

/// In one line, with that of the runner, which the server does not know.
fn settings_text(settings: &Settings) -> String {
    let settings: Vec<_> = settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{}; claim and settle commit with synchronous_commit={RUNNER_COMMITS}", settings.join(" "))
}
