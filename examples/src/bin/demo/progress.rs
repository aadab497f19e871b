//! Waits for the jobs, and shows how far they are.

use std::time::Duration;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use pgq_postgres::Job;
use sqlx::{PgPool, query_as};
use tokio::time::{MissedTickBehavior, interval};

use crate::jobs::FlakyReport;

/// How often the database is asked.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// A bar on standard error, which is not there unless that is a terminal; counts files first.
pub(crate) fn counting_bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_style(style("{spinner} enqueued {human_pos} files"));
    bar.enable_steady_tick(POLL_INTERVAL);
    bar
}

/// Returns when no job is left to run. `jobs` is how many there will have been.
pub(crate) async fn finished(pool: &PgPool, bar: &ProgressBar, jobs: u64) -> Result<()> {
    bar.set_style(style("{wide_bar} {human_pos}/{human_len} jobs, {per_sec}, {eta} left"));
    bar.reset();
    bar.set_length(jobs);
    let mut ticks = interval(POLL_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let (done, unfinished): (i64, bool) =
            query_as(include_str!("sql/progress.sql")).bind(FlakyReport::KIND).fetch_one(pool).await?;
        bar.set_position(done.unsigned_abs());
        if !unfinished {
            return Ok(());
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is a constant, and a good one")
}
