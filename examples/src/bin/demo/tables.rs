//! The report for people.

use std::env;

use comfy_table::{Cell, CellAlignment, Color, ContentArrangement, Table, presets};

use crate::report::{Figures, PICKUP_IS, Report};

/// How many of a file's words its row shows.
const WORDS_SHOWN: usize = 3;

pub(crate) fn print(report: &Report) {
    let totals = &report.totals;
    println!(
        "{}: {} files in {} folders, {} lines, {} words, {} bytes",
        report.folder, totals.files, totals.folders, totals.lines, totals.words, totals.bytes
    );
    print_skipped(report);
    println!("\n{}", kinds(report));
    println!("{}", PICKUP_IS.join("\n"));
    println!("\n{}", largest(report));
    println!("\n{}", checks(report));
}

fn print_skipped(report: &Report) {
    let skipped = &report.skipped;
    println!(
        "skipped: {} binary, {} not UTF-8, {} over 16 MiB, {} unreadable",
        skipped.binary, skipped.not_utf8, skipped.too_large, skipped.unreadable
    );
    for complaint in &skipped.complaints {
        println!("  {complaint}");
    }
    if report.totals.problems > 0 {
        println!("changed while the demo ran, and counted as empty: {}", report.totals.problems);
    }
}

fn kinds(report: &Report) -> Table {
    let mut table = table(&["kind", "jobs", "attempts", "jobs/s", "pick-up p50", "pick-up p99"], 1);
    for kind in &report.kinds {
        table.add_row(figures(kind.kind.as_deref().unwrap_or_default(), &kind.figures));
    }
    table.add_row(figures("all", &report.all));
    table
}

fn figures(name: &str, figures: &Figures) -> Vec<String> {
    vec![
        name.to_owned(),
        figures.jobs.to_string(),
        figures.attempts.to_string(),
        format!("{:.0}", figures.jobs_per_s),
        format!("{:.1} ms", figures.pickup_p50_ms),
        format!("{:.1} ms", figures.pickup_p99_ms),
    ]
}

fn largest(report: &Report) -> Table {
    let mut table = table(&["largest files", "bytes", "lines", "words", "most frequent words"], 1);
    for file in &report.largest {
        let words = file.top_words.iter().take(WORDS_SHOWN);
        let words: Vec<_> = words.map(|(word, count)| format!("{word} {count}")).collect();
        let numbers = [file.bytes, file.lines, file.words].map(|number| number.to_string());
        table.add_row([file.path.clone()].into_iter().chain(numbers).chain([words.join(", ")]));
    }
    if let Some(column) = table.column_mut(4) {
        column.set_cell_alignment(CellAlignment::Left);
    }
    table
}

fn checks(report: &Report) -> Table {
    let mut table = table(&["check", "result"], 2);
    for check in &report.checks {
        let result = match check.violations {
            0 => Cell::new("ok").fg(Color::Green),
            count => Cell::new(format!("failed {count} times")).fg(Color::Red),
        };
        table.add_row([Cell::new(&check.check), result]);
    }
    table
}

/// As wide as the terminal, and coloured only on one; columns from `numbers_from` on are aligned right.
fn table(header: &[&str], numbers_from: usize) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    if env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        table.force_no_tty();
    }
    table.set_header(header);
    table
        .column_iter_mut()
        .skip(numbers_from)
        .for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    table
}
