//! How a measured program and the one that measures it keep in step, over the program's standard input and output.
//!
//! The program prepares, prints `ready` and waits for a line. Then it works, prints its figures as one JSON object in
//! one line, and waits for a line again, so that what it has used can be read before it ends. The end of the input
//! counts as a line: with `</dev/null` a program runs through.

use std::io::Write;

use anyhow::Result;
use serde_json::Value;
use tokio::task::spawn_blocking;

/// What a program says when it has prepared.
pub(crate) const READY: &str = "ready";

/// Says that everything is prepared, and waits until the measurement may begin.
pub(crate) async fn open() -> Result<()> {
    say(READY)?;
    wait().await
}

/// Prints the figures, and waits until they were taken.
pub(crate) async fn close(outcome: &Value) -> Result<()> {
    say(&outcome.to_string())?;
    wait().await
}

/// Waits for a line.
pub(crate) async fn wait() -> Result<()> {
    spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;
    Ok(())
}

fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}
