use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use sqlx::postgres::PgListener;
use sqlx::query;
use tokio::time::timeout;
use tracing::debug;

use super::shared::Shared;
use crate::connection::{Backoff, Commit, limited, listening_pool};

/// How long silence is believed.
const PING_AFTER: Duration = Duration::from_secs(30);

/// What `cancel_running.sql` notifies; no queue can be named so.
const CANCEL: &str = "!cancel";

/// What changes of schedules notify.
const SCHEDULE: &str = "!schedule";

/// Wakes the claimer when an enqueue says so. Only makes it fast: whatever is missed here, polling finds.
pub(crate) async fn listen(shared: Arc<Shared>) {
    let mut backoff = Backoff::default();
    let stop = shared.handle.stop.clone();
    loop {
        tokio::select! {
            result = listen_once(&shared, &mut backoff) => if let Err(error) = result {
                shared.survived("listen", &error);
            },
            () = stop.cancelled() => return,
        }
        tokio::select! { () = backoff.wait() => {} () = stop.cancelled() => return }
    }
}

/// Listens until the session breaks.
async fn listen_once(shared: &Shared, backoff: &mut Backoff) -> Result<(), sqlx::Error> {
    let pool = listening_pool(shared.session_options("listen", Commit::Durable)).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(shared.settings.schema.channel()).await?;
    backoff.reset();
    // What was sent while nobody listened is lost.
    shared.wake.notify_one();
    shared.schedules.notify_one();
    loop {
        let Ok(received) = timeout(PING_AFTER, listener.try_recv()).await else {
            // A connection that died without a word looks like one on which nothing happens.
            limited(
                query(shared.statements().ping.clone())
                    .persistent(shared.keeps_statements())
                    .execute(&mut listener),
            )
            .await?;
            continue;
        };
        let Some(notification) = received? else { return Ok(()) };
        let queue = notification.payload();
        if queue == CANCEL {
            shared.cancellation.notify_one();
        }
        if queue == SCHEDULE {
            shared.schedules.notify_one();
        }
        debug!(queue, "notified");
        if let Some(number) = shared.queues.iter().position(|known| known == queue) {
            shared.told_of.store(number, Relaxed);
            shared.wake.notify_one();
        }
    }
}
