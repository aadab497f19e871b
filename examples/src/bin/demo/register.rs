//! Registers the files and enqueues their jobs, in one transaction.

use std::path::Path;

use anyhow::{Context, Result};
use indicatif::ProgressBar;
use pgq_postgres::Enqueue;
use sqlx::{PgConnection, PgPool, query, query_as, query_scalar};
use tokio::sync::mpsc;

use crate::jobs::{FlakyReport, IndexFile};
use crate::walk::{Found, Skipped, walk};

/// How many jobs fail on purpose.
const FLAKY_REPORTS: i32 = 10;

/// How many chunks of files the walk may be ahead of the database.
const CHUNKS_AHEAD: usize = 4;

/// What was enqueued, and what was not.
pub(crate) struct Registered {
    pub(crate) files: u64,
    pub(crate) folders: u64,
    pub(crate) flaky_reports: u64,
    pub(crate) skipped: Skipped,
}

impl Registered {
    /// The summaries are not enqueued yet, but will be.
    pub(crate) fn jobs(&self) -> u64 {
        self.files + self.folders + self.flaky_reports
    }
}

/// Every file's row and its job become visible together, with the commit. If there is no file, there is none.
pub(crate) async fn register(pool: &PgPool, root: &Path, bar: &ProgressBar) -> Result<Registered> {
    let (sender, mut found) = mpsc::channel(CHUNKS_AHEAD);
    let root = root.to_owned();
    let walking = tokio::task::spawn_blocking(move || walk(&root, &sender));
    let mut tx = pool.begin().await?;
    while let Some(chunk) = found.recv().await {
        bar.inc(chunk.len() as u64);
        register_files(&mut tx, chunk).await?;
    }
    let skipped = walking.await.context("the walk through the folder panicked")?;
    let files = bar.position();
    if files > 0 {
        register_flaky_reports(&mut tx).await?;
    }
    let folders: i64 = query_scalar(include_str!("sql/count_folders.sql")).fetch_one(&mut *tx).await?;
    tx.commit().await?;
    let flaky_reports = FLAKY_REPORTS.unsigned_abs().into();
    Ok(Registered { files, folders: folders.unsigned_abs(), flaky_reports, skipped })
}

async fn register_files(tx: &mut PgConnection, chunk: Vec<Found>) -> Result<()> {
    let (folders, paths): (Vec<_>, Vec<_>) =
        chunk.into_iter().map(|found| (found.folder, found.path)).unzip();
    let files: Vec<(i64, i64, String)> = query_as(include_str!("sql/register_files.sql"))
        .bind(folders)
        .bind(paths)
        .fetch_all(&mut *tx)
        .await?;
    for (file_id, folder_id, path) in files {
        IndexFile { file_id, folder_id, path }.enqueue(&mut *tx).await?;
    }
    Ok(())
}

async fn register_flaky_reports(tx: &mut PgConnection) -> Result<()> {
    for number in 1..=FLAKY_REPORTS {
        let id = FlakyReport { number }.enqueue(&mut *tx).await?.id();
        query(include_str!("sql/register_flaky_report.sql")).bind(id.0).execute(&mut *tx).await?;
    }
    Ok(())
}
