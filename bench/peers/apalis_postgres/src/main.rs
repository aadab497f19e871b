//! apalis-postgres, by its README. Tuned: the settings of its examples basic.rs and pubsub.rs, tasks not locked one by one,
//! notifications, and handlers that run side by side on the runtime, with the batches that drained fastest of 100, 1,000 and
//! 5,000.

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use apalis::prelude::*;
use apalis_postgres::{Config, PostgresStorage, queries::push_tasks};
use pgq_peer_shared::{Payload, Peer, QUEUE, SESSIONS, Setting};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

/// How many jobs one statement enqueues.
const CHUNK_JOBS: usize = 5_000;

/// How many jobs it takes at a time when tuned.
const BATCH: usize = 5_000;

#[derive(Clone)]
struct Apalis {
    pool: PgPool,
    setting: Setting,
}

async fn handle(job: Payload) -> Result<(), BoxDynError> {
    pgq_peer_shared::handle(&job).await;
    Ok(())
}

fn failed(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("apalis: {error}")
}

impl Peer for Apalis {
    async fn open(url: &str, setting: Setting) -> Result<Self> {
        let pool = PgPoolOptions::new().max_connections(SESSIONS).connect(url).await?;
        PostgresStorage::setup(&pool).await.map_err(failed)?;
        Ok(Self { pool, setting })
    }

    async fn enqueue(&self, job: Payload) -> Result<()> {
        let task = TaskBuilder::new(serde_json::to_vec(&job)?).build();
        let mut connection = self.pool.acquire().await?;
        push_tasks(&mut *connection, QUEUE, vec![task]).await.map_err(failed)
    }

    async fn enqueue_bulk(&self, jobs: Vec<Payload>) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        for chunk in jobs.chunks(CHUNK_JOBS) {
            let mut tasks = Vec::with_capacity(chunk.len());
            for job in chunk {
                tasks.push(TaskBuilder::new(serde_json::to_vec(job)?).build());
            }
            push_tasks(&mut *tx, QUEUE, tasks).await.map_err(failed)?;
        }
        Ok(tx.commit().await?)
    }

    async fn run(&self) -> Result<()> {
        let storage = PostgresStorage::<Payload>::new(&self.pool);
        match self.setting {
            Setting::Defaults => {
                let storage = storage.with_config(Config::default().queue(QUEUE));
                let worker = WorkerBuilder::new("bench").backend(storage).build(handle);
                worker.run().await.map_err(failed)
            }
            Setting::Tuned => {
                let config = Config::default().queue(QUEUE).batch_size(BATCH).lock_tasks(false);
                let storage = storage.with_config(config).with_pubsub();
                let worker = WorkerBuilder::new("bench").backend(storage).parallelize(tokio::spawn);
                worker.build(handle).run().await.map_err(failed)
            }
        }
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
    pgq_peer_shared::main::<Apalis>()
}
