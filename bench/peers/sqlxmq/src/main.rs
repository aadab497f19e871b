//! sqlxmq, by its README. Its tables come from the migrations in its package, which it asks its users to copy. It has no call
//! that enqueues many, so bulk is one transaction of single ones. Tuned: bulk calls its function `mq_insert`, which takes many;
//! between 1,000 and 2,000 jobs at a time, since its documentation says that the difference between the two is the largest
//! batch and that larger ones are more efficient; they drained faster than 100 to 200 and 500 to 1,000. Its defaults are 16
//! and 32.

use std::error::Error;
use std::process::ExitCode;

use anyhow::Result;
use pgq_peer_shared::{Payload, Peer, QUEUE, SESSIONS, Setting, handle};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use sqlxmq::{CurrentJob, JobRegistry, job};

/// Its tables, in order.
const MIGRATIONS: [&str; 5] = [
    include_str!(concat!(env!("SQLXMQ"), "migrations/20210316025847_setup.up.sql")),
    include_str!(concat!(env!("SQLXMQ"), "migrations/20210921115907_clear.up.sql")),
    include_str!(concat!(env!("SQLXMQ"), "migrations/20211013151757_fix_mq_latest_message.up.sql")),
    include_str!(concat!(env!("SQLXMQ"), "migrations/20220208120856_fix_concurrent_poll.up.sql")),
    include_str!(concat!(env!("SQLXMQ"), "migrations/20220713122907_fix-clear_all-keep-nil-message.up.sql")),
];

/// How many jobs a bulk call has.
const CHUNK_JOBS: usize = 5_000;

/// How many run at a time when tuned: it polls when there are fewer than the first, for as many as the second.
const CONCURRENCY: (usize, usize) = (1000, 2000);

#[job(channel_name = "bench")]
async fn bench(mut current: CurrentJob) -> Result<(), Box<dyn Error + Send + Sync + 'static>> {
    if let Some(job) = current.json::<Payload>()? {
        handle(&job).await;
    }
    Ok(current.complete().await?)
}

#[derive(Clone)]
struct Sqlxmq {
    pool: PgPool,
    setting: Setting,
}

impl Peer for Sqlxmq {
    async fn open(url: &str, setting: Setting) -> Result<Self> {
        let pool = PgPoolOptions::new().max_connections(SESSIONS).connect(url).await?;
        for migration in MIGRATIONS {
            sqlx::raw_sql(migration).execute(&pool).await?;
        }
        Ok(Self { pool, setting })
    }

    async fn enqueue(&self, job: Payload) -> Result<()> {
        bench.builder().set_channel_name(QUEUE).set_json(&job)?.spawn(&self.pool).await?;
        Ok(())
    }

    async fn enqueue_bulk(&self, jobs: Vec<Payload>) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        match self.setting {
            Setting::Defaults => {
                for job in jobs {
                    bench.builder().set_channel_name(QUEUE).set_json(&job)?.spawn(&mut *tx).await?;
                }
            }
            Setting::Tuned => {
                for chunk in jobs.chunks(CHUNK_JOBS) {
                    let payloads = chunk.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
                    let insert = sqlx::query(include_str!("mq_insert.sql"));
                    insert.bind(QUEUE).bind(bench.name()).bind(payloads).execute(&mut *tx).await?;
                }
            }
        }
        Ok(tx.commit().await?)
    }

    async fn run(&self) -> Result<()> {
        let mut runner = JobRegistry::new(&[bench]).runner(&self.pool);
        if let Setting::Tuned = self.setting {
            runner.set_concurrency(CONCURRENCY.0, CONCURRENCY.1);
        }
        // It runs until this is dropped.
        let _running = runner.run().await?;
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
    pgq_peer_shared::main::<Sqlxmq>()
}
