//! A runner in a process of its own, which tests signal and kill. Prints a line per attempt, and in the end how many
//! outcomes were dropped, if any were. Every line it reads lets one step go on.

use std::io::Write;
use std::time::Duration;

use pgq_postgres::{Runner, migrate};
use pgq_tests::{Effect, Probe, Step};
use sqlx::PgPool;

#[tokio::main]
async fn main() {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::io::stderr).init();
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
    // On threads of their own: handlers may block all of the runtime's.
    std::thread::spawn(move || {
        while let Some(ran) = ran.blocking_recv() {
            let line = format!("ran {} {}\n", ran.n, ran.attempt);
            // One write a line: a kill cannot cut it.
            std::io::stdout().write_all(line.as_bytes()).expect("the test reads what its worker says");
        }
    });
    let gate = probe.clone();
    std::thread::spawn(move || {
        std::io::stdin().lines().map_while(Result::ok).for_each(|_| gate.open_gate(1))
    });
    if std::env::var_os("CLOCK_SHIFT_S").is_some() {
        #[expect(clippy::disallowed_methods, reason = "shows a test that this clock is wrong, as it must be")]
        let now = std::time::SystemTime::now();
        println!("clock {}", now.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs()));
    }
    let heartbeat = Duration::from_millis(setting("HEARTBEAT_MS", 2000));
    let slots = usize::try_from(setting("SLOTS", 20)).unwrap_or(20);
    let mut runner = Runner::empty()
        .register::<Step>()
        .register::<Effect>()
        .state(probe)
        .heartbeat_interval(heartbeat)
        .slots(slots)
        .grace(Duration::from_millis(setting("GRACE_MS", 30_000)))
        .start_patience(Duration::from_millis(setting("PATIENCE_MS", 30_000)));
    if setting("POOLER", 0) > 0 {
        runner = runner.transaction_pooler();
    }
    if setting("KEEP_COMPLETED", 0) > 0 {
        runner = runner.keep_completed(Duration::from_secs(3600));
    }
    let handle = runner.handle();
    let say = move || {
        let lost = handle.counts().lease_lost;
        if lost > 0 {
            println!("lease_lost {lost}");
        }
        println!("stopped");
    };
    runner.on_stop(say).run().await
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}
