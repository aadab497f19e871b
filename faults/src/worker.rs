//! A runner in a process of its own, which the suite kills, pauses and cuts off.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use pgq_postgres::{Runner, RunnerHandle};
use sqlx::postgres::PgPoolOptions;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::history::{Event, History};
use crate::job::{Charge, Recorder, Work};
use crate::refusals::Refusals;

/// Connections of the pool that handlers use.
const HANDLERS_CONNECTIONS: u32 = 2;

/// How often the runner's counts go into the history, if they have changed.
const COUNTS_EVERY: Duration = Duration::from_millis(50);

/// Runs until SIGTERM. Ends at once when whoever started it has ended.
///
/// # Errors
/// If its settings make no sense, or the runner ends in an error.
pub async fn run() -> Result<()> {
    let path: PathBuf = setting("HISTORY")?.into();
    let history = Arc::new(History::open(&path).context("cannot write the history")?);
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "off".into());
    let log = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(std::io::stderr);
    tracing_subscriber::registry()
        .with(log.with_filter(filter))
        .with(Refusals(history.clone()).layer())
        .init();
    std::thread::spawn(end_with_parent);
    let pool =
        PgPoolOptions::new().max_connections(HANDLERS_CONNECTIONS).connect_lazy(&setting("DATABASE_URL")?)?;
    let runner = Runner::empty()
        .pool(pool)
        .register::<Work>()
        .register::<Charge>()
        .state(Recorder(history.clone()))
        .heartbeat_interval(Duration::from_millis(setting("HEARTBEAT_MS")?.parse()?))
        .slots(setting("SLOTS")?.parse()?)
        .grace(Duration::from_secs(1))
        .cancel_grace(Duration::from_millis(500))
        .start_patience(Duration::from_secs(600));
    let handle = runner.handle();
    std::thread::spawn({
        let (history, handle) = (history.clone(), handle.clone());
        move || note_counts(&history, &handle)
    });
    runner.run().await?;
    history.note(counts(&handle));
    Ok(())
}

fn setting(name: &str) -> Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set"))
}

fn end_with_parent() {
    // Nothing is ever written: this returns when the other end is closed.
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    std::process::exit(3);
}

fn note_counts(history: &History, handle: &RunnerHandle) {
    let mut before = counts(handle);
    loop {
        std::thread::sleep(COUNTS_EVERY);
        let now = counts(handle);
        if now != before {
            history.note(now);
            before = now;
        }
    }
}

fn counts(handle: &RunnerHandle) -> Event {
    let counts = handle.counts();
    Event::Counts { rescued: counts.rescued }
}
