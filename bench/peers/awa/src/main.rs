//! awa, by its README; bulk is `insert_many_copy_from_pool`. A fresh database is handed to its queue storage before the
//! first job, as its first worker does: jobs that are there before that stay in tables that it keeps for migrations only,
//! which its workers then use for good, and a job that comes while the first worker starts is never run.
//! Tuned: 200 workers instead of 50, no deadline, for which it claims by receipts, and `QueueStorage::enqueue_params_copy`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use awa::{
    Client, InsertOpts, InsertParams, JobArgs, JobResult, QueueConfig, QueueStorage, QueueStorageConfig,
    insert_many_copy_from_pool, insert_with, model::insert::params_with,
};
use pgq_peer_shared::{Payload, Peer, QUEUE, SESSIONS, Setting, handle};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

/// How many jobs a bulk call has.
const CHUNK_JOBS: usize = 5_000;

#[derive(Serialize, Deserialize, JobArgs)]
struct Bench {
    payload: Payload,
}

#[derive(Clone)]
struct Awa {
    pool: PgPool,
    setting: Setting,
}

fn options() -> InsertOpts {
    InsertOpts { queue: QUEUE.into(), ..Default::default() }
}

impl Peer for Awa {
    async fn open(url: &str, setting: Setting) -> Result<Self> {
        let pool = PgPoolOptions::new().max_connections(SESSIONS).connect(url).await?;
        awa::migrations::run(&pool).await?;
        sqlx::query("select awa.storage_auto_finalize_if_fresh('awa')").execute(&pool).await?;
        Ok(Self { pool, setting })
    }

    async fn enqueue(&self, payload: Payload) -> Result<()> {
        insert_with(&self.pool, &Bench { payload }, options()).await?;
        Ok(())
    }

    async fn enqueue_bulk(&self, jobs: Vec<Payload>) -> Result<()> {
        let params = jobs.into_iter().map(|payload| params_with(&Bench { payload }, options()));
        let params = params.collect::<Result<Vec<InsertParams>, _>>()?;
        let storage = QueueStorage::new(QueueStorageConfig::default())?;
        for chunk in params.chunks(CHUNK_JOBS) {
            match self.setting {
                Setting::Defaults => drop(insert_many_copy_from_pool(&self.pool, chunk).await?),
                Setting::Tuned => drop(storage.enqueue_params_copy(&self.pool, chunk).await?),
            }
        }
        Ok(())
    }

    async fn run(&self) -> Result<()> {
        let config = match self.setting {
            Setting::Defaults => QueueConfig::default(),
            Setting::Tuned => {
                QueueConfig { max_workers: 200, deadline_duration: Duration::ZERO, ..QueueConfig::default() }
            }
        };
        let client = Client::builder(self.pool.clone())
            .queue(QUEUE, config)
            .register::<Bench, _, _>(|job: Bench, _| async move {
                handle(&job.payload).await;
                Ok(JobResult::Completed)
            })
            .build()?;
        client.start().await?;
        // It runs for as long as the client lives.
        std::future::pending().await
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
    pgq_peer_shared::main::<Awa>()
}
