use pgq_postgres::admin::QueueStatistics;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, Cell, Clear, Paragraph, Row, Table, Wrap};

use super::view::{Pane, View};
use crate::text;

/// How wide the history of a rate is.
const SPARKLINE: u16 = 20;

/// Its heights.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

pub(super) fn draw(frame: &mut Frame<'_>, view: &mut View) {
    let height = u16::try_from(view.sample.queues.len()).unwrap_or(u16::MAX).saturating_add(3);
    let queues = Constraint::Length(height.clamp(4, frame.area().height / 2));
    let areas =
        [Constraint::Length(1), queues, Constraint::Fill(1), Constraint::Fill(1), Constraint::Length(1)];
    let [head, queues, running, failures, foot] = Layout::vertical(areas).areas(frame.area());
    frame.render_widget(headline(view), head);
    draw_queues(frame, view, queues);
    draw_running(frame, view, running);
    draw_failures(frame, view, failures);
    frame.render_widget(footline(view), foot);
    if let Some((id, lines)) = &view.job {
        draw_job(frame, &format!("job {id}"), lines);
    }
}

fn headline(view: &View) -> Line<'static> {
    let sample = &view.sample;
    let alive = sample.runners.iter().filter(|runner| runner.alive).count();
    let in_hand: u64 = sample.runners.iter().map(|runner| runner.in_hand).sum();
    let slots: u32 = sample.runners.iter().map(|runner| runner.slots).sum();
    let rate: f64 = sample.queues.iter().map(|queue| view.rate(&queue.name)).sum();
    let failed: u64 = sample.queues.iter().map(|queue| queue.failed_per_minute).sum();
    let [alive, slots, in_hand] =
        [text::count(alive, "runner"), text::count(slots, "slot"), text::count(in_hand, "job")];
    Line::from(format!(
        "pgq  {alive}  {in_hand} in hand, {slots}  {rate:.1} done/s  {failed} failed/min  {}",
        humantime::format_rfc3339_seconds(sample.now)
    ))
    .bold()
}

fn footline(view: &View) -> Line<'static> {
    if !view.message.is_empty() {
        return Line::from(text::line(&view.message, 200)).fg(Color::Yellow);
    }
    let keys = if view.job.is_some() {
        "r retry  x cancel  Esc back"
    } else {
        "Tab next list  ↑↓ choose  Enter look into job  r retry  x cancel  p pause or resume queue  q quit"
    };
    Line::from(keys).dim()
}

fn list<'a>(
    title: &'static str,
    header: Vec<&'static str>,
    rows: Vec<Row<'a>>,
    widths: Vec<Constraint>,
    chosen: bool,
) -> Table<'a> {
    let border = if chosen { Style::new().fg(Color::Cyan) } else { Style::new().fg(Color::DarkGray) };
    let highlight = if chosen { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() };
    Table::new(rows, widths)
        .header(Row::new(header).style(Style::new().bold()))
        .block(Block::new().borders(Borders::TOP | Borders::LEFT).border_style(border).title(title))
        .row_highlight_style(highlight)
        .column_spacing(2)
}

fn draw_queues(frame: &mut Frame<'_>, view: &mut View, area: Rect) {
    let row = |queue: &QueueStatistics| {
        let mut remarks = Vec::new();
        if queue.paused_at.is_some() {
            remarks.push("paused");
        }
        if queue.slow_until.is_some() {
            remarks.push("slow");
        }
        if queue.runners == 0 {
            remarks.push("no runner");
        }
        Row::new(vec![
            Cell::from(queue.name.clone()),
            Cell::from(right(queue.ready)),
            Cell::from(right(queue.running)),
            Cell::from(right(queue.scheduled)),
            Cell::from(right(queue.latency.map(text::duration).unwrap_or_default())),
            Cell::from(format!("{:>8.1}", view.rate(&queue.name))),
            Cell::from(sparkline(view, &queue.name)).fg(Color::Green),
            Cell::from(right(queue.failed_per_minute)).fg(if queue.failed_per_minute > 0 {
                Color::Red
            } else {
                Color::Reset
            }),
            Cell::from(remarks.join(", ")).fg(Color::Yellow),
        ])
    };
    let rows = view.sample.queues.iter().map(row).collect();
    let header =
        vec!["QUEUE", "   READY", " RUNNING", "   LATER", " LATENCY", "  DONE/S", "", "FAIL/MIN", ""];
    let number = Constraint::Length(8);
    let widths = vec![
        Constraint::Min(12),
        number,
        number,
        number,
        number,
        number,
        Constraint::Length(SPARKLINE),
        number,
        Constraint::Min(10),
    ];
    let table = list(" queues ", header, rows, widths, view.pane == Pane::Queues);
    frame.render_stateful_widget(table, area, &mut view.queues);
}

/// The last rates, against the highest of them.
fn sparkline(view: &View, queue: &str) -> String {
    let Some(rates) = view.rates.get(queue) else { return String::new() };
    let shown = rates.iter().skip(rates.len().saturating_sub(usize::from(SPARKLINE)));
    let highest = shown.clone().copied().max().unwrap_or(0).max(1);
    shown.map(|rate| BARS[usize::try_from(rate * 7 / highest).unwrap_or(7).min(7)]).collect()
}

fn right(value: impl ToString) -> String {
    format!("{:>8}", value.to_string())
}

fn draw_running(frame: &mut Frame<'_>, view: &mut View, area: Rect) {
    let rows = view
        .in_hand()
        .map(|(job, runner)| {
            Row::new(vec![
                right(job.id),
                job.kind.clone(),
                job.queue.clone(),
                right(job.attempt),
                right(text::duration(job.since)),
                runner.to_owned(),
            ])
        })
        .collect();
    let header = vec!["     JOB", "KIND", "QUEUE", " ATTEMPT", "   SINCE", "RUNNER"];
    let widths = vec![
        Constraint::Length(8),
        Constraint::Fill(1),
        Constraint::Fill(1),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Fill(1),
    ];
    let table = list(" running ", header, rows, widths, view.pane == Pane::Running);
    frame.render_stateful_widget(table, area, &mut view.running);
}

fn draw_failures(frame: &mut Frame<'_>, view: &mut View, area: Rect) {
    let now = view.sample.now;
    let rows = view
        .sample
        .errors
        .iter()
        .map(|group| {
            Row::new(vec![
                right(group.failures),
                text::relative(group.last_at.min(now), now),
                text::line(&group.kinds.join(", "), 40),
                right(group.last_job),
                text::line(&group.error, 300),
            ])
        })
        .collect();
    let header = vec!["  FAILED", "LAST", "KINDS", "LAST JOB", "ERROR"];
    let widths = vec![
        Constraint::Length(8),
        Constraint::Length(14),
        Constraint::Length(20),
        Constraint::Length(8),
        Constraint::Fill(1),
    ];
    let table = list(" failures of the last hour ", header, rows, widths, view.pane == Pane::Failures);
    frame.render_stateful_widget(table, area, &mut view.failures);
}

/// Over all else, with a margin.
fn draw_job(frame: &mut Frame<'_>, title: &str, lines: &[String]) {
    let all = frame.area();
    let [_, middle, _] =
        Layout::vertical([Constraint::Length(2), Constraint::Fill(1), Constraint::Length(2)]).areas(all);
    let [_, area, _] =
        Layout::horizontal([Constraint::Length(3), Constraint::Fill(1), Constraint::Length(3)]).areas(middle);
    frame.render_widget(Clear, area);
    let lines: Vec<Line<'_>> = lines.iter().map(|line| Line::from(line.as_str())).collect();
    let block = Block::bordered().title(format!(" {title} ")).border_style(Style::new().fg(Color::Cyan));
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).block(block), area);
}
