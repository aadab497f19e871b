//! What a run has to show, read from the database.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;
use sqlx::types::Json;
use sqlx::{FromRow, PgPool, query_as};

use crate::walk::Skipped;

/// How the pick-up latency is measured.
pub(crate) const PICKUP_IS: [&str; 4] = [
    "pick-up: from when an attempt could begin to its handler's first line, by the database's clock.",
    "It could begin just before the commit that enqueued it, or, a retry, when it was due; the first line ran when",
    "the handler's row was written, less what the process measured between the two. All files are enqueued in one",
    "commit, so theirs is mostly the wait in line.",
];

/// All figures of a run.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) folder: String,
    #[serde(flatten)]
    pub(crate) totals: Totals,
    pub(crate) skipped: Skipped,
    #[serde(flatten)]
    pub(crate) all: Figures,
    pub(crate) pickup_is: String,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) largest: Vec<Largest>,
    pub(crate) checks: Vec<Check>,
    pub(crate) ok: bool,
}

/// What was indexed.
#[derive(Serialize, FromRow)]
pub(crate) struct Totals {
    pub(crate) files: i64,
    pub(crate) folders: i64,
    pub(crate) bytes: i64,
    pub(crate) lines: i64,
    pub(crate) words: i64,
    /// Files that could be read when they were found, and not later.
    pub(crate) problems: i64,
}

/// How the jobs of a kind ran, or all of them.
#[derive(Serialize, FromRow)]
pub(crate) struct Figures {
    pub(crate) jobs: i64,
    pub(crate) attempts: i64,
    /// From when the first could begin to when the last had written.
    pub(crate) seconds: f64,
    #[sqlx(default)]
    pub(crate) jobs_per_s: f64,
    #[sqlx(rename = "p50")]
    pub(crate) pickup_p50_ms: f64,
    #[sqlx(rename = "p99")]
    pub(crate) pickup_p99_ms: f64,
}

/// The figures of one kind; of all of them if it has no name.
#[derive(Serialize, FromRow)]
pub(crate) struct Kind {
    pub(crate) kind: Option<String>,
    #[serde(flatten)]
    #[sqlx(flatten)]
    pub(crate) figures: Figures,
}

/// One of the largest files.
#[derive(Serialize, FromRow)]
pub(crate) struct Largest {
    pub(crate) path: String,
    pub(crate) bytes: i64,
    pub(crate) lines: i64,
    pub(crate) words: i64,
    pub(crate) top_words: Json<Vec<(String, u64)>>,
}

/// What must hold, and how often it does not.
#[derive(Serialize, FromRow)]
pub(crate) struct Check {
    pub(crate) check: String,
    pub(crate) violations: i64,
}

impl Report {
    pub(crate) async fn read(pool: &PgPool, root: &Path, skipped: Skipped) -> Result<Self> {
        let mut kinds: Vec<Kind> = query_as(include_str!("sql/kinds.sql")).fetch_all(pool).await?;
        for Kind { figures, .. } in &mut kinds {
            figures.jobs_per_s = figures.jobs as f64 / figures.seconds.max(1e-6);
        }
        let all = kinds.pop().expect("the statement always gives the row of all kinds").figures;
        let checks: Vec<Check> = query_as(include_str!("sql/checks.sql")).fetch_all(pool).await?;
        Ok(Self {
            folder: root.display().to_string(),
            totals: query_as(include_str!("sql/totals.sql")).fetch_one(pool).await?,
            skipped,
            all,
            pickup_is: PICKUP_IS.join(" "),
            kinds,
            largest: query_as(include_str!("sql/largest.sql")).fetch_all(pool).await?,
            ok: checks.iter().all(|check| check.violations == 0),
            checks,
        })
    }
}
