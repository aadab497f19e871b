//! A runner in a process of its own, which tests signal and kill. Prints a line per attempt.

use std::io::Write;
use std::time::Duration;

use pgq_postgres::{Runner, migrate};
use pgq_tests::{Probe, Step};
use sqlx::PgPool;

#[tokio::main]
async fn main() {
    pgq_tests::log();
    let result = match std::env::args().nth(1).as_deref() {
        Some("migrate") => migrate_once().await,
        _ => run().await,
    };
    if let Err(error) = result {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

async fn migrate_once() -> Result<(), pgq_postgres::Error> {
    let url = std::env::var("DATABASE_URL").map_err(|_| pgq_postgres::Error::NoDatabase)?;
    migrate(&PgPool::connect(&url).await?).await
}

async fn run() -> Result<(), pgq_postgres::Error> {
    let (probe, mut ran) = Probe::new();
    tokio::spawn(async move {
        while let Some(ran) = ran.recv().await {
            let line = format!("ran {} {}\n", ran.n, ran.attempt);
            // One write a line: a kill cannot cut it.
            std::io::stdout().write_all(line.as_bytes()).expect("the test reads what its worker says");
        }
    });
    let heartbeat = Duration::from_millis(setting("HEARTBEAT_MS", 2000));
    let slots = usize::try_from(setting("SLOTS", 20)).unwrap_or(20);
    Runner::empty()
        .register::<Step>()
        .state(probe)
        .heartbeat_interval(heartbeat)
        .slots(slots)
        .grace(Duration::from_millis(setting("GRACE_MS", 30_000)))
        .start_patience(Duration::from_millis(setting("PATIENCE_MS", 30_000)))
        .on_stop(|| println!("stopped"))
        .run()
        .await
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}
