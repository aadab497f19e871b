//! A web server that enqueues jobs in its requests' transactions and runs them in its own process, with health, metrics and a
//! graceful stop.
//!
//! ```text
//! DATABASE_URL=postgres://localhost/app cargo run -p pgq-examples --bin web
//! curl -d ann@example.com localhost:8080/users
//! ```

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use pgq_examples::{Mailer, SendWelcome, operations, record};
use pgq_postgres::{Enqueue, Runner};
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{Instrument, info_span};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let metrics = record()?;
    let pool = PgPool::connect(&std::env::var("DATABASE_URL")?).await?;
    pgq_postgres::migrate(&pool).await?;
    sqlx::query("create table if not exists users (email text primary key)").execute(&pool).await?;

    let runner = Runner::from_registry().state(Mailer).pool(pool.clone());
    let app = Router::new()
        .route("/users", post(sign_up))
        .with_state(pool)
        .merge(operations(runner.handle(), metrics));
    let address = std::env::var("ADDRESS").unwrap_or_else(|_| "127.0.0.1:8080".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);

    // SIGTERM or ctrl-c ends both: requests under way get their answers, running jobs may finish.
    let running = tokio::spawn(runner.run());
    let serving =
        tokio::spawn(axum::serve(listener, app).with_graceful_shutdown(told_to_stop()).into_future());
    running.await??; // an error if it could not start
    serving.await??;
    Ok(())
}

async fn told_to_stop() {
    let mut terminate = signal(SignalKind::terminate()).expect("signals can be received");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

/// The user and the job that welcomes it: both, or neither.
async fn sign_up(State(pool): State<PgPool>, email: String) -> Result<StatusCode, (StatusCode, String)> {
    let work = async {
        let mut tx = pool.begin().await?;
        sqlx::query("insert into users (email) values ($1)").bind(&email).execute(&mut *tx).await?;
        SendWelcome { email }.enqueue(&mut *tx).await?;
        Ok::<_, pgq_postgres::Error>(tx.commit().await?)
    };
    match work.instrument(info_span!("sign_up")).await {
        Ok(()) => Ok(StatusCode::CREATED),
        Err(error) => Err((StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n"))),
    }
}
