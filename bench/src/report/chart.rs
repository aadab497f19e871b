//! The charts of a report, as SVG.

use std::path::Path;

use anyhow::{Result, anyhow};
use plotters::prelude::*;

use super::markdown::Chart;
use crate::case::{CaseResult, Compared};
use crate::figures::Series;
use crate::workloads::{WorkloadResult, backlog, many, pinned};

/// In pixels, if it were made of some.
const SIZE: (u32, u32) = (900, 480);

/// One colour a line, in this order.
const COLORS: [RGBColor; 6] = [BLUE, RED, GREEN, MAGENTA, BLACK, CYAN];

/// A chart of lines.
struct Lines {
    title: &'static str,
    x: &'static str,
    y: &'static str,
    lines: Vec<(String, Series)>,
}

/// Writes those that the run has figures for.
pub(crate) fn write_all(directory: &Path, results: &[WorkloadResult]) -> Result<Vec<Chart>> {
    let mut charts = Vec::new();
    for result in results {
        let (lines, file) = match result.name {
            many::NAME => (against_processes(&result.cases), "processes.svg"),
            backlog::NAME => (against_backlog(&result.cases), "backlog.svg"),
            pinned::NAME => (over_time(&result.cases), "pinned.svg"),
            _ => continue,
        };
        draw_lines(&directory.join(file), &lines)?;
        charts.push((lines.title, file));
    }
    let ratios = ratios(results);
    if !ratios.is_empty() {
        let title = "Jobs a second by those of the bare SQL";
        draw_bars(&directory.join("ratios.svg"), title, &ratios)?;
        charts.push((title, "ratios.svg"));
    }
    Ok(charts)
}

fn against_processes(cases: &[CaseResult]) -> Lines {
    let lines = rates(cases, |case| case.case.flags.json()["runners"].as_f64());
    Lines { title: "Drain against runner processes", x: "processes", y: "jobs/s", lines }
}

fn against_backlog(cases: &[CaseResult]) -> Lines {
    let lines = rates(cases, |case| {
        let flags = case.case.flags.json();
        Some((flags["scheduled"].as_f64()? + flags["finished"].as_f64()?) / 1e6)
    });
    Lines { title: "Drain against backlog", x: "million scheduled and finished jobs", y: "jobs/s", lines }
}

fn over_time(cases: &[CaseResult]) -> Lines {
    let sides = cases.iter().flat_map(|case| &case.sides);
    // Of the last round: those of several rounds cannot be put into one line.
    let lines = sides.filter_map(|side| Some((side.side.clone(), side.rounds.last()?.series.clone())));
    let title = "Claims while an old snapshot is held";
    Lines { title, x: "seconds", y: "p99 of claims, ms", lines: lines.collect() }
}

/// A line for each side: its rate against something about the case.
fn rates(cases: &[CaseResult], x: impl Fn(&CaseResult) -> Option<f64>) -> Vec<(String, Series)> {
    let mut lines: Vec<(String, Series)> = Vec::new();
    for case in cases {
        for side in &case.sides {
            let Some(point) = x(case).zip(side.median("jobs_per_s")) else { continue };
            match lines.iter_mut().find(|(name, _)| *name == side.side) {
                Some((_, line)) => line.push(point),
                None => lines.push((side.side.clone(), vec![point])),
            }
        }
    }
    lines.iter_mut().for_each(|(_, line)| line.sort_by(|a, b| a.0.total_cmp(&b.0)));
    lines
}

/// Ours by the floor, of everything that is compared by rate.
fn ratios(results: &[WorkloadResult]) -> Vec<(String, f64)> {
    let cases = results.iter().flat_map(|result| result.cases.iter().map(move |case| (result, case)));
    let by_rate = cases.filter(|(_, case)| case.case.compared == Compared::Rate);
    let ratio = |(result, case): (&WorkloadResult, &CaseResult)| {
        let floor = case.sides.iter().find(|side| side.side == "floor")?;
        Some((format!("{} {}", result.name, case.case.name), case.ratio(floor)?.median))
    };
    by_rate.filter_map(ratio).collect()
}

fn draw_lines(path: &Path, chart: &Lines) -> Result<()> {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE).map_err(failed)?;
    let points = || chart.lines.iter().flat_map(|(_, line)| line);
    let most = |values: &mut dyn Iterator<Item = f64>| values.fold(f64::MIN_POSITIVE, f64::max) * 1.05;
    let (x, y) = (most(&mut points().map(|point| point.0)), most(&mut points().map(|point| point.1)));
    let mut area = ChartBuilder::on(&root)
        .caption(chart.title, ("sans-serif", 22))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(80)
        .build_cartesian_2d(0.0..x, 0.0..y)
        .map_err(failed)?;
    area.configure_mesh().x_desc(chart.x).y_desc(chart.y).draw().map_err(failed)?;
    for ((name, line), color) in chart.lines.iter().zip(COLORS.iter().cycle()) {
        let drawn = area.draw_series(LineSeries::new(line.iter().copied(), color).point_size(3));
        let legend = |(x, y)| PathElement::new([(x, y), (x + 16, y)], *color);
        drawn.map_err(failed)?.label(name).legend(legend);
    }
    area.configure_series_labels().border_style(BLACK).background_style(WHITE).draw().map_err(failed)?;
    root.present().map_err(failed)
}

fn draw_bars(path: &Path, title: &str, bars: &[(String, f64)]) -> Result<()> {
    let height = 90 + 26 * u32::try_from(bars.len())?;
    let root = SVGBackend::new(path, (SIZE.0, height)).into_drawing_area();
    root.fill(&WHITE).map_err(failed)?;
    let most = bars.iter().map(|bar| bar.1).fold(1.0, f64::max) * 1.1;
    let count = bars.len() as f64;
    let mut area = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 22))
        .margin(12)
        .x_label_area_size(30)
        .build_cartesian_2d(0.0..most, 0.0..count)
        .map_err(failed)?;
    area.configure_mesh().disable_y_mesh().disable_y_axis().draw().map_err(failed)?;
    // The first bar is on top, and its name lies in it.
    let bar = |(n, (label, value)): (usize, &(String, f64))| {
        let bottom = count - n as f64 - 1.0;
        let bar = Rectangle::new([(0.0, bottom + 0.15), (*value, bottom + 0.85)], BLUE.mix(0.6).filled());
        let text = Text::new(format!("{label}: {value:.2}"), (most * 0.01, bottom + 0.7), ("sans-serif", 14));
        (bar, text)
    };
    for (bar, text) in bars.iter().enumerate().map(bar) {
        area.draw_series([bar]).map_err(failed)?;
        area.draw_series([text]).map_err(failed)?;
    }
    root.present().map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("cannot draw a chart: {error}")
}
