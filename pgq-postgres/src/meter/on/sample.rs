use std::time::Duration;

use metrics::gauge;
use sqlx::query_as;
use tokio::time::Instant;

use crate::connection::{Session, limited};
use crate::runner::Shared;
use crate::telemetry::{MOST_DEPTH, QUEUE_DEPTH, QUEUE_LATENCY_SECONDS};

/// How often the queues are looked at.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(10);

/// How far to look for the oldest job of each priority.
const MOST_HEADS: i64 = 1000;

/// Looks at the depth and the latency of the runner's queues now and then.
pub(crate) struct Sampler {
    next: Instant,
}

impl Sampler {
    pub(crate) fn new() -> Self {
        Self { next: Instant::now() }
    }

    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// Looks, and settles when to look next.
    pub(crate) async fn sample(&mut self, shared: &Shared, session: &mut Session) -> Result<(), sqlx::Error> {
        // A little more or less each time, so that runners that started together do not look together.
        self.next = Instant::now() + SAMPLE_INTERVAL.mul_f64(0.9 + fastrand::f64() / 5.0);
        let mut lent = session.lend().await?;
        let queues: Vec<(String, i64, Option<f64>)> = limited(
            query_as(shared.statements().sample_queues.clone())
                .persistent(shared.keeps_statements())
                .bind(&shared.queues)
                .bind(MOST_DEPTH)
                .bind(MOST_HEADS)
                .fetch_all(&mut *lent),
        )
        .await?;
        shared.meter.clock.read(shared, &mut lent).await?;
        lent.keep().await?;
        for (queue, depth, latency) in queues {
            gauge!(QUEUE_DEPTH.name, "queue" => queue.clone()).set(depth as f64);
            gauge!(QUEUE_LATENCY_SECONDS.name, "queue" => queue).set(latency.unwrap_or(0.0).max(0.0));
        }
        Ok(())
    }
}
