use std::sync::Arc;

use sqlx::postgres::PgListener;
use tracing::debug;

use super::shared::Shared;
use crate::connection::{Backoff, Commit, listening_pool, runner_options};

/// What `cancel_running.sql` notifies; no queue can be named so.
const CANCEL: &str = "!cancel";

/// Wakes the claimer when an enqueue says so. Only makes it fast: whatever is missed here, polling finds.
pub(crate) async fn listen(shared: Arc<Shared>) {
    let mut backoff = Backoff::default();
    let stop = shared.handle.stop.clone();
    loop {
        tokio::select! {
            result = listen_once(&shared) => if let Err(error) = result {
                shared.survived("listen", &error);
            },
            () = stop.cancelled() => return,
        }
        tokio::select! { () = backoff.wait() => {} () = stop.cancelled() => return }
    }
}

/// Listens until the session breaks.
async fn listen_once(shared: &Shared) -> Result<(), sqlx::Error> {
    let options = runner_options(&shared.database, "pgq listen", Commit::Durable);
    let pool = listening_pool(&options).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(shared.settings.schema.channel()).await?;
    // What was sent while nobody listened is lost.
    shared.wake.notify_one();
    while let Some(notification) = listener.try_recv().await? {
        let queue = notification.payload();
        if queue == CANCEL {
            shared.cancellation.notify_one();
        }
        debug!(queue, "notified");
        if shared.queues.iter().any(|known| known == queue) {
            shared.wake.notify_one();
        }
    }
    Ok(())
}
