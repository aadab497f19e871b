//! The report as Markdown.

use super::grid::{self, KEY};
use super::settings_text;
use crate::server::Settings;
use crate::workloads::WorkloadResult;

/// A chart's title and its file beside the report.
pub(crate) type Chart = (&'static str, &'static str);

pub(crate) fn text(results: &[WorkloadResult], rounds: u32, settings: &Settings, charts: &[Chart]) -> String {
    let mut text =
        format!("# Benchmarks\n\n{rounds} rounds. Server: {}.\n\n{KEY}.\n", settings_text(settings));
    for (title, file) in charts {
        text += &format!("\n![{title}]({file})\n");
    }
    for result in results {
        text += &format!("\n## {}\n\n{}\n\n{}\n", result.name, result.about, grid::markdown(result));
        for case in &result.cases {
            text += &format!("\n- {}: `{}`", case.case.name, case.case.flags.text());
        }
        text += "\n";
    }
    text
}
