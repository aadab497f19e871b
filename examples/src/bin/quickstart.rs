//! The library in one screen: a struct becomes a job, a row, and a call to `perform`.
//!
//! ```text
//! DATABASE_URL=postgres://localhost/app cargo run -p pgq-examples --bin quickstart
//! ```

use std::time::Duration;

use pgq_postgres::{Context, Enqueue, Job, JobResult, Perform, Runner};
use sqlx::PgPool;

#[derive(Job)] // kind and queue "send_welcome", bincode codec, registered
#[job(state = App, retry_waits = ["1m", "10m", "30m"], timeout = "30s")]
struct SendWelcome {
    user_id: i64,
}

impl Perform for SendWelcome {
    async fn perform(&self, ctx: &Context<App>) -> JobResult {
        ctx.state().mailer.welcome(self.user_id).await?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let pool = PgPool::connect(&std::env::var("DATABASE_URL")?).await?;
    pgq_postgres::migrate(&pool).await?;
    let app = App { mailer: Mailer };

    SendWelcome { user_id: 7 }.enqueue(&pool).await?; // its own commit
    let mut tx = pool.begin().await?;
    SendWelcome { user_id: 7 }.enqueue(&mut *tx).await?; // inside the caller's transaction
    tx.commit().await?;
    SendWelcome { user_id: 7 }.after(Duration::from_secs(86_400)).enqueue(&pool).await?;

    Runner::from_registry().state(app).run().await?; // DATABASE_URL, until SIGTERM or ctrl-c
    Ok(())
}

/// What handlers share.
struct App {
    mailer: Mailer,
}

/// Stands in for a client of a mail service.
struct Mailer;

impl Mailer {
    async fn welcome(&self, user_id: i64) -> std::io::Result<()> {
        println!("welcome, user {user_id}");
        Ok(())
    }
}
