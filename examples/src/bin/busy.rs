//! A shop at work, with failures: something for `pgq status`, `pgq top` and `pgq errors` to look at.
//!
//! ```text
//! DATABASE_URL=postgres://localhost/app cargo run -p pgq-examples --bin busy
//! ```

use std::time::Duration;

use pgq_postgres::{Context, Enqueue, Job, JobError, JobResult, Perform, Runner};
use sqlx::PgPool;
use tokio::time::{interval, sleep};

/// How often something is ordered.
const ORDER_INTERVAL: Duration = Duration::from_millis(20);

#[derive(Job)]
#[job(queue = "mail")]
struct SendReceipt {
    order: i64,
}

impl Perform for SendReceipt {
    async fn perform(&self, _: &Context) -> JobResult {
        sleep(Duration::from_millis(self.order.unsigned_abs() % 40)).await;
        Ok(())
    }
}

#[derive(Job)]
#[job(queue = "payments", priority = -10, retry_waits = ["2s", "10s", "1m"], index(order), sensitive(card))]
struct ChargeCard {
    order: i64,
    card: String,
}

impl Perform for ChargeCard {
    async fn perform(&self, ctx: &Context) -> JobResult {
        sleep(Duration::from_millis(30)).await;
        match self.order % 23 {
            0 => Err(JobError::discard("the card was declined")),
            1 => Err(format!("payment service: 503 for order {}", self.order).into()),
            2 if ctx.attempt() == 1 => Err("payment service: timed out after 2 s".into()),
            _ => Ok(()),
        }
    }
}

#[derive(Job)]
#[job(queue = "images")]
struct MakeThumbnail {
    order: i64,
}

impl Perform for MakeThumbnail {
    async fn perform(&self, _: &Context) -> JobResult {
        sleep(Duration::from_millis(800)).await;
        assert!(self.order % 97 != 0, "image of order {} has no pixels", self.order);
        Ok(())
    }
}

#[derive(Job, Default)]
#[job(cron = "*/5 * * * *", timezone = "Europe/Rome")]
struct CountStock {}

impl Perform for CountStock {
    async fn perform(&self, _: &Context) -> JobResult {
        Ok(())
    }
}

/// Orders without end.
async fn orders(pool: PgPool) -> anyhow::Result<()> {
    let mut ticks = interval(ORDER_INTERVAL);
    for order in 1.. {
        ticks.tick().await;
        let mut tx = pool.begin().await?;
        ChargeCard { order, card: format!("4242-{order}") }.enqueue(&mut *tx).await?;
        SendReceipt { order }.enqueue(&mut *tx).await?;
        if order % 5 == 0 {
            MakeThumbnail { order }.enqueue(&mut *tx).await?;
            SendReceipt { order }.after(Duration::from_secs(3600)).enqueue(&mut *tx).await?;
        }
        tx.commit().await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let pool = PgPool::connect(&std::env::var("DATABASE_URL")?).await?;
    pgq_postgres::migrate(&pool).await?;
    let runner =
        Runner::from_registry().slots(20).keep_completed(Duration::from_secs(3600)).pool(pool.clone());
    tokio::select! {
        ended = runner.run() => Ok(ended?), // until SIGTERM or ctrl-c
        ended = orders(pool) => ended,
    }
}
