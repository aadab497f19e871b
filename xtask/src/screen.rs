//! How things look: coloured on a terminal, plain elsewhere.

use std::fmt::Display;
use std::io::{IsTerminal, stderr, stdout};
use std::time::Duration;

/// A line that announces what comes below it.
pub(crate) fn headline(text: &str) {
    println!("\n{}", paint("1", &format_args!("== {text}")));
}

/// For what is wrong.
pub(crate) fn red(text: &str) -> String {
    paint("1;31", &text)
}

/// For what is right.
pub(crate) fn green(text: &str) -> String {
    paint("32", &text)
}

/// `83.1 s`, always in seconds so that a column of them compares at a glance.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

/// Whether a person looks at it, and has not asked for plain text.
pub(crate) fn has_colours() -> bool {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    stdout().is_terminal() && stderr().is_terminal() && !plain
}

fn paint(code: &str, text: &dyn Display) -> String {
    if has_colours() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_string() }
}
