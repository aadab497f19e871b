//! The steps that a measured program and the one that measures it take together: `ready`, a line, the figures, a line.

use std::io::Write;

use anyhow::Result;
use serde_json::Value;

/// Says that everything is prepared, and waits until the measurement may begin.
pub(crate) async fn open() -> Result<()> {
    say("ready")?;
    wait().await
}

/// Prints the figures, and waits until they were taken.
pub(crate) async fn close(outcome: &Value) -> Result<()> {
    say(&outcome.to_string())?;
    wait().await
}

async fn wait() -> Result<()> {
    tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;
    Ok(())
}

fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}
