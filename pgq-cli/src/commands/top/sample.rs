use std::time::{Duration, Instant, SystemTime};

use pgq_postgres::Error;
use pgq_postgres::admin::{Admin, ErrorGroup, QueueStatistics, RunnerStatus};

/// How far back failures are shown.
const FAILURES_SINCE: Duration = Duration::from_secs(3600);

/// How many running jobs of each runner, and how many groups of errors.
const JOBS: usize = 50;
const GROUPS: usize = 50;

/// How everything is at one moment.
pub(super) struct Sample {
    pub(super) at: Instant,
    pub(super) now: SystemTime,
    pub(super) queues: Vec<QueueStatistics>,
    pub(super) runners: Vec<RunnerStatus>,
    pub(super) errors: Vec<ErrorGroup>,
}

impl Sample {
    pub(super) async fn take(admin: &Admin) -> Result<Self, Error> {
        Ok(Self {
            now: admin.now().await?,
            queues: admin.queues().await?,
            runners: admin.runners(JOBS).await?,
            errors: admin.error_groups(FAILURES_SINCE, GROUPS).await?,
            at: Instant::now(),
        })
    }
}
