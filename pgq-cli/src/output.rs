use std::io::{IsTerminal, Write, stdout};

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};
use pgq_postgres::admin::State;
use serde_json::Value;

use crate::failure::Failure;

/// Writes a line, and ends quietly when nobody reads any more.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    writeln!(stdout(), "{text}").or_else(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(error.into()),
    })
}

/// Answers a program.
pub(crate) fn say_json(value: &Value) -> Result<(), Failure> {
    say(&format!("{value:#}"))
}

/// A table that fits the terminal; elsewhere as wide as it is.
pub(crate) fn table(header: &[&str], rows: Vec<Vec<Cell>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let fits =
        if stdout().is_terminal() { ContentArrangement::Dynamic } else { ContentArrangement::Disabled };
    table.set_content_arrangement(fits);
    table.set_header(header.iter().map(|title| Cell::new(title).add_attribute(Attribute::Bold)));
    table.add_rows(rows);
    table.trim_fmt()
}

/// Text in a table.
pub(crate) fn cell(text: impl ToString) -> Cell {
    Cell::new(text.to_string())
}

/// A number in a table; a zero is only a dot.
pub(crate) fn number(text: impl ToString) -> Cell {
    let text = text.to_string();
    let text = if text == "0" { "·".to_owned() } else { text };
    Cell::new(text).set_alignment(comfy_table::CellAlignment::Right)
}

/// A number of what should be none.
pub(crate) fn bad_number(text: impl ToString) -> Cell {
    let text = text.to_string();
    if text == "0" { number(text) } else { number(text).fg(Color::Red) }
}

pub(crate) fn state(state: State) -> Cell {
    let cell = Cell::new(state.as_str());
    match state {
        State::Running | State::Completed => cell.fg(Color::Green),
        State::Discarded => cell.fg(Color::Red),
        State::Parked | State::Cancelled => cell.fg(Color::Yellow),
        _ => cell,
    }
}
