//! A process that only runs jobs, of the queues in `QUEUES` if that is set. Its web server is for probes and Prometheus alone.
//!
//! ```text
//! DATABASE_URL=postgres://localhost/app cargo run -p pgq-examples --bin job_worker
//! ```

use pgq_examples::{Mailer, operations, record};
use pgq_postgres::Runner;
use sqlx::PgPool;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let metrics = record()?;
    let pool = PgPool::connect(&std::env::var("DATABASE_URL")?).await?;
    pgq_postgres::migrate(&pool).await?; // any number of processes may do so at once

    let mut runner = Runner::from_registry().state(Mailer).pool(pool);
    if let Ok(queues) = std::env::var("QUEUES") {
        runner = runner.queues(queues.split(','));
    }
    let address = std::env::var("ADDRESS").unwrap_or_else(|_| "127.0.0.1:8081".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    // Serves while running jobs finish, and ends with the process.
    tokio::spawn(axum::serve(listener, operations(runner.handle(), metrics)).into_future());
    Ok(runner.run().await?) // until SIGTERM or ctrl-c
}
