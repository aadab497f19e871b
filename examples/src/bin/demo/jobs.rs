//! The jobs of the demo. Each may be delivered more than once, so each writes in a way that a second delivery does
//! not change.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;
use pgq_postgres::{Context, Enqueue, Job, JobResult, Perform};
use sqlx::types::Json;
use sqlx::{PgPool, query, query_scalar};
use tokio::sync::Semaphore;

use crate::text::{self, Counts, NoText};

/// What handlers share.
pub(crate) struct App {
    pub(crate) pool: PgPool,
    /// The folder that is indexed.
    pub(crate) root: PathBuf,
    /// A permit for each processor: counting is work for those, and no more files than that are in memory.
    pub(crate) readers: Semaphore,
}

/// Counts the lines and words of a file, and lets the last one of a folder enqueue its summary.
#[derive(Job)]
#[job(state = App, retry_waits = ["200ms", "1s", "5s"])]
pub(crate) struct IndexFile {
    pub(crate) file_id: i64,
    pub(crate) folder_id: i64,
    pub(crate) path: String,
}

impl Perform for IndexFile {
    async fn perform(&self, ctx: &Context<App>) -> JobResult {
        let started = Instant::now();
        let (counts, problem) = ctx.state().index(&self.path).await?;
        // The result, the countdown and the summary's job: all of them or none.
        let mut tx = ctx.state().pool.begin().await?;
        let last: Option<bool> = query_scalar(include_str!("sql/index_file.sql"))
            .bind(self.file_id)
            .bind(self.folder_id)
            .bind(i64::try_from(counts.bytes)?)
            .bind(i64::try_from(counts.lines)?)
            .bind(i64::try_from(counts.words)?)
            .bind(Json(&counts.top_words))
            .bind(problem)
            .bind(ctx.id().0)
            .bind(ctx.attempt())
            .bind(Self::KIND)
            .bind(started.elapsed().as_secs_f64())
            .fetch_optional(&mut *tx)
            .await?;
        if last == Some(true) {
            SummarizeFolder { folder_id: self.folder_id }.enqueue(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

impl App {
    /// The counts of a file. One that was text a moment ago and cannot be read now still gets its row, with the
    /// reason in it: trying again would not help.
    async fn index(&self, path: &str) -> anyhow::Result<(Counts, Option<String>)> {
        let _permit = self.readers.acquire().await?;
        let path = self.root.join(path);
        let read = move || text::read(&path).map(|text| text::count(&text));
        match tokio::task::spawn_blocking(read).await.context("the reading of a file panicked")? {
            Ok(counts) => Ok((counts, None)),
            Err(NoText::Unreadable(error)) => Ok((text::count(""), Some(error.to_string()))),
            Err(other) => Ok((text::count(""), Some(format!("no text any more: {other:?}")))),
        }
    }
}

/// Adds up the results of a folder's own files.
#[derive(Job)]
#[job(state = App, retry_waits = ["200ms", "1s", "5s"])]
pub(crate) struct SummarizeFolder {
    pub(crate) folder_id: i64,
}

impl Perform for SummarizeFolder {
    async fn perform(&self, ctx: &Context<App>) -> JobResult {
        let started = Instant::now();
        query(include_str!("sql/summarize_folder.sql"))
            .bind(self.folder_id)
            .bind(ctx.id().0)
            .bind(ctx.attempt())
            .bind(Self::KIND)
            .bind(started.elapsed().as_secs_f64())
            .execute(&ctx.state().pool)
            .await?;
        Ok(())
    }
}

/// Fails the first time, to show that it runs again.
#[derive(Job)]
#[job(state = App, retry_waits = ["200ms"])]
pub(crate) struct FlakyReport {
    pub(crate) number: i32,
}

impl Perform for FlakyReport {
    async fn perform(&self, ctx: &Context<App>) -> JobResult {
        let started = Instant::now();
        query(include_str!("sql/flaky_report.sql"))
            .bind(ctx.id().0)
            .bind(ctx.attempt())
            .bind(Self::KIND)
            .bind(started.elapsed().as_secs_f64())
            .execute(&ctx.state().pool)
            .await?;
        if ctx.attempt() == 1 {
            return Err(format!("report {} fails the first time, on purpose", self.number).into());
        }
        Ok(())
    }
}
