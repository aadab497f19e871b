//! graphile_worker, by its README. Tuned: what its guide says for high-throughput workers, a local queue
//! (docs/src/guides/local-queue.md) and completions in batches (docs/src/configuration/worker-options.md), with the sizes
//! that drained fastest of 20 to 2,000 jobs at a time, local queues of 100 to 2,000 and batches of 1 to 5 ms. Its defaults
//! run as many at a time as there are processors.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, TaskHandler, Worker, WorkerContext, WorkerOptions,
    WorkerUtils,
};
use pgq_peer_shared::{Payload, Peer, SESSIONS, Setting, handle};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

/// How many jobs a call of `add_jobs` has: it is one statement, with all of them in memory twice.
const CHUNK_JOBS: usize = 5_000;

/// How many run at a time when tuned.
const CONCURRENCY: usize = 1000;

/// How many jobs its local queue holds when tuned.
const LOCAL_QUEUE: usize = 1000;

/// How long it gathers completions when tuned.
const BATCH_DELAY: Duration = Duration::from_millis(2);

#[derive(Clone, Serialize, Deserialize)]
struct Bench(Payload);

impl TaskHandler for Bench {
    const IDENTIFIER: &'static str = "bench";

    async fn run(self, _: WorkerContext) -> impl IntoTaskHandlerResult {
        handle(&self.0).await;
        Ok::<(), String>(())
    }
}

#[derive(Clone)]
struct Graphile {
    pool: PgPool,
    setting: Setting,
    utils: std::sync::Arc<WorkerUtils>,
}

impl Graphile {
    async fn worker(pool: &PgPool, setting: Setting) -> Result<Worker> {
        let options = WorkerOptions::default().pg_pool(pool.clone()).define_job::<Bench>();
        let options = options.listen_os_shutdown_signals(false);
        let options = match setting {
            Setting::Defaults => options,
            Setting::Tuned => options
                .concurrency(CONCURRENCY)
                .local_queue(LocalQueueConfig::default().with_size(LOCAL_QUEUE))
                .complete_job_batch_delay(BATCH_DELAY)
                .fail_job_batch_delay(BATCH_DELAY),
        };
        Ok(options.init().await?)
    }
}

impl Peer for Graphile {
    async fn open(url: &str, setting: Setting) -> Result<Self> {
        let pool = PgPoolOptions::new().max_connections(SESSIONS).connect(url).await?;
        let utils = Self::worker(&pool, setting).await?.create_utils();
        Ok(Self { pool, setting, utils: utils.into() })
    }

    async fn enqueue(&self, job: Payload) -> Result<()> {
        self.utils.add_job(Bench(job), JobSpec::default()).await?;
        Ok(())
    }

    async fn enqueue_bulk(&self, jobs: Vec<Payload>) -> Result<()> {
        let spec = JobSpec::default();
        for chunk in jobs.chunks(CHUNK_JOBS) {
            let chunk: Vec<_> = chunk.iter().map(|job| (Bench(job.clone()), &spec)).collect();
            self.utils.add_jobs::<Bench>(&chunk).await?;
        }
        Ok(())
    }

    async fn run(&self) -> Result<()> {
        Ok(Self::worker(&self.pool, self.setting).await?.run().await?)
    }

    async fn left(&self) -> Result<u64> {
        let left: i64 = sqlx::query_scalar(include_str!("left.sql")).fetch_one(&self.pool).await?;
        Ok(u64::try_from(left)?)
    }

    async fn execute(&self, statement: &'static str) -> Result<()> {
        sqlx::raw_sql(statement).execute(&self.pool).await?;
        Ok(())
    }
}

fn main() -> ExitCode {
    pgq_peer_shared::main::<Graphile>()
}
