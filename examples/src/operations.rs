use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use pgq_postgres::RunnerHandle;
use pgq_postgres::telemetry::{JOBS_BUCKETS, SECONDS_BUCKETS};

/// How often samples are gathered into histograms; the more rarely, the more memory they take.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Collects metrics from now on, for `/metrics` to show. Comes before the runner starts.
///
/// # Errors
/// There is a recorder already.
pub fn record() -> anyhow::Result<PrometheusHandle> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS_BUCKETS)?
        .set_buckets_for_metric(Matcher::Suffix("_jobs".into()), &JOBS_BUCKETS)?;
    Ok(builder.install_recorder()?)
}

/// `/health/live`, `/health/ready` and `/metrics`, for what keeps the process running and what watches it.
pub fn operations(runner: RunnerHandle, metrics: PrometheusHandle) -> Router {
    let (live, ready, upkeep) = (runner.clone(), runner, metrics.clone());
    // Ends with the process: there is nothing to wait for.
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP_INTERVAL).await;
            upkeep.run_upkeep();
        }
    });
    Router::new()
        .route("/health/live", get(async move || answer(live.health().live())))
        .route("/health/ready", get(async move || answer(ready.health().ready())))
        .route("/metrics", get(async move || metrics.render()))
}

fn answer(health: Result<(), &str>) -> (StatusCode, String) {
    match health {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}
