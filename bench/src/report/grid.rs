//! The figures of a workload as a table, for the terminal and for Markdown.

use std::collections::BTreeSet;

use comfy_table::{ContentArrangement, Table, presets};

use crate::case::{CaseResult, Compared, Measured};
use crate::figures::rounded;
use crate::workloads::WorkloadResult;

/// What the columns mean that do not say it.
pub(crate) const KEY: &str = "medians of the rounds, and the smallest and largest; the ratio is ours by that side: of \
    jobs a second more is better, of median latencies (L) less is. CPU is time of processors: the runner's is that of the \
    measured process, producers included where it has them, the server's that of the whole server. WAL is the whole \
    server's";

/// Figures that have a column of another name, in this order.
const COLUMNS: [(&str, &str); 9] = [
    ("p50_ms", "p50 ms"),
    ("p95_ms", "p95 ms"),
    ("p99_ms", "p99 ms"),
    ("p999_ms", "p99.9 ms"),
    ("runner_cpu_us_per_job", "runner CPU us/job"),
    ("server_cpu_us_per_job", "server CPU us/job"),
    ("wal_bytes_per_job", "WAL B/job"),
    ("commits_per_job", "commits/job"),
    ("runner_peak_mb", "runner peak MB"),
];

/// Figures without a column.
const HIDDEN: [&str; 4] = ["jobs", "jobs_per_s", "max_ms", "slots"];

pub(crate) fn terminal(result: &WorkloadResult) -> Table {
    let mut table = table(result);
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table
}

pub(crate) fn markdown(result: &WorkloadResult) -> Table {
    let mut table = table(result);
    table.load_style(presets::ASCII_MARKDOWN);
    table
}

fn table(result: &WorkloadResult) -> Table {
    let mut table = Table::new();
    let columns = columns(result);
    let header = ["case", "side", "jobs/s", "min - max", "ratio"].map(str::to_owned);
    table.set_header(header.into_iter().chain(columns.iter().map(|(_, title)| title.clone())));
    for case in &result.cases {
        for (n, side) in case.sides.iter().enumerate() {
            let name = if n == 0 { case.case.name.clone() } else { String::new() };
            table.add_row(row(case, side, name, &columns));
        }
    }
    table
}

fn row(case: &CaseResult, side: &Measured, name: String, columns: &[(String, String)]) -> Vec<String> {
    let rate = side.spread("jobs_per_s");
    let is_ours = case.ours().is_some_and(|ours| ours.side == side.side);
    let ratio = if is_ours { None } else { case.ratio(side) };
    let unit = if case.case.compared == Compared::Latency { " L" } else { "" };
    let mut row = vec![
        name,
        side.side.clone(),
        rate.map_or_else(String::new, |rate| figure(rate.median)),
        rate.map_or_else(String::new, |rate| format!("{} - {}", figure(rate.min), figure(rate.max))),
        ratio.map_or_else(String::new, |ratio| format!("{:.2}{unit}", ratio.median)),
    ];
    let others = columns.iter().map(|(name, _)| side.median(name).map_or_else(String::new, figure));
    row.extend(others);
    row
}

/// The columns that any side has something for: the common ones, and then those of this workload alone.
fn columns(result: &WorkloadResult) -> Vec<(String, String)> {
    let sides = result.cases.iter().flat_map(|case| &case.sides);
    let mut names: BTreeSet<String> = sides.flat_map(|side| side.medians().into_keys()).collect();
    let common = COLUMNS.into_iter().filter(|(name, _)| names.remove(*name));
    let mut columns: Vec<_> = common.map(|(name, title)| (name.to_owned(), title.to_owned())).collect();
    names.retain(|name| !HIDDEN.contains(&&**name));
    columns.extend(names.into_iter().map(|name| (name.clone(), name.replace('_', " "))));
    columns
}

/// Three digits that mean something, or all those before the point.
fn figure(value: f64) -> String {
    match rounded(value) {
        value if value.abs() >= 100.0 => format!("{value:.0}"),
        value if value.abs() >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}
