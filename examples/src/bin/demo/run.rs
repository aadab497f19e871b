//! One run of the demo, from an empty database to the report.

use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use anyhow::{Context, Result};
use indicatif::ProgressBar;
use pgq_postgres::{Runner, RunnerHandle};
use sqlx::PgPool;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Semaphore;

use crate::jobs::App;
use crate::progress::{counting_bar, finished};
use crate::register::{Registered, register};
use crate::report::Report;

/// How a run ended.
pub(crate) enum Ended {
    /// All jobs ran.
    Done(Box<Report>),
    /// There is nothing to index.
    NoText(String),
    /// By ctrl-c.
    Interrupted,
}

/// Catches ctrl-c from now on.
pub(crate) fn interrupts() -> Result<Signal> {
    signal(SignalKind::interrupt()).context("cannot listen for ctrl-c")
}

/// Runs the runner and what feeds and watches it side by side.
pub(crate) async fn run(pool: &PgPool, root: PathBuf, interrupts: &mut Signal) -> Result<Ended> {
    let processors = available_parallelism().map_or(1, usize::from);
    let app = App { pool: pool.clone(), root: root.clone(), readers: Semaphore::new(processors) };
    let runner = Runner::from_registry().state(app).pool(pool.clone()).without_signals();
    let handle = runner.handle();
    let bar = counting_bar();
    // Waits for both, unless the runner cannot start: it must not be dropped while it works.
    let (registered, ()) =
        tokio::try_join!(async { Ok(work(pool, &root, &bar, &handle, interrupts).await) }, async {
            runner.run().await.context("the runner cannot start")
        })?;
    bar.finish_and_clear();
    let Some(registered) = registered? else { return Ok(Ended::Interrupted) };
    if registered.files == 0 {
        return Ok(Ended::NoText(nothing(&root, &registered)));
    }
    let report = Report::read(pool, &root, registered.skipped).await?;
    Ok(Ended::Done(Box::new(report)))
}

/// Enqueues the jobs, waits for them, and stops the runner whatever happens. `None` after ctrl-c.
async fn work(
    pool: &PgPool,
    root: &Path,
    bar: &ProgressBar,
    handle: &RunnerHandle,
    interrupts: &mut Signal,
) -> Result<Option<Registered>> {
    let all = async {
        let registered = register(pool, root, bar).await?;
        if registered.files > 0 {
            finished(pool, bar, registered.jobs()).await?;
        }
        anyhow::Ok(Some(registered))
    };
    let result = tokio::select! {
        result = all => result,
        _ = interrupts.recv() => Ok(None),
    };
    match &result {
        Ok(Some(_)) => handle.stop(),
        // The database goes away: what still runs has nothing to finish.
        _ => handle.stop_now(),
    }
    result
}

fn nothing(root: &Path, registered: &Registered) -> String {
    let skipped = &registered.skipped;
    format!(
        "there is no text file in {}: {} binary, {} not UTF-8, {} over 16 MiB, {} unreadable",
        root.display(),
        skipped.binary,
        skipped.not_utf8,
        skipped.too_large,
        skipped.unreadable
    )
}
