use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::claim::Together;
use super::prune::prune;
use super::release::release_strangers;
use super::rescue::rescue;
use super::shared::Shared;
use super::unpark::unpark;
use super::unserved::tell_unserved;
use crate::connection::Session;
use crate::meter::Sampler;

/// How often leases without a runner and jobs without a program are looked for. A suspicion comes sooner.
const RESCUE_INTERVAL: Duration = Duration::from_secs(60);

/// How soon a comparison is made that failed, or that this runner could not make because it does not know that it lives.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// How often the leases in this runner's name are compared with those in its memory; a doubt comes sooner.
const STRANGERS_INTERVAL: Duration = Duration::from_secs(5);

/// More rarely where that would take more than one part in so many of the time: an old snapshot keeps all leases that
/// there were.
const STRANGERS_SHARE: u32 = 20;

/// Compares, rescues and prunes, on a session of its own so that none of it delays a claim or a settle.
pub(crate) async fn maintain(shared: Arc<Shared>, together: Arc<Together>) {
    let mut session = shared.session("maintain");
    let stop = shared.handle.stop.clone();
    let mut sampler = Sampler::new();
    let prune_interval = shared.settings.prune_interval;
    let mut next_prune = Instant::now() + prune_interval.mul_f64(fastrand::f64());
    let mut next_rescue = Instant::now();
    let mut next_comparison = Instant::now();
    let mut unparked = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = shared.suspicion.notified() => next_rescue = Instant::now(),
            () = together.doubt.notified() => next_comparison = Instant::now(),
            () = sleep_until(next_prune.min(next_rescue).min(next_comparison).min(sampler.next())) => {}
        }
        if Instant::now() >= next_comparison {
            next_comparison = Instant::now() + compare(&shared, &together, &mut session).await;
        }
        if !unparked {
            match unpark(&shared, &mut session).await {
                Ok(()) => unparked = true,
                Err(error) => shared.survived("unpark", &error),
            }
        }
        if Instant::now() >= next_rescue {
            next_rescue = Instant::now() + RESCUE_INTERVAL;
            if let Err(error) = rescue(&shared, &mut session).await {
                shared.survived("rescue", &error);
            }
            if let Err(error) = tell_unserved(&shared, &mut session).await {
                shared.survived("unserved", &error);
            }
        }
        if Instant::now() >= next_prune {
            next_prune = Instant::now() + prune_interval;
            if let Err(error) = prune(&shared, &mut session).await {
                shared.survived("prune", &error);
            }
        }
        if let Err(error) = sampler.sample(&shared, &mut session).await {
            shared.survived("sample", &error);
        }
    }
    session.close().await;
}

/// Gives back what this runner does not know, and returns how long until the next time. A runner that may be taken for dead
/// leaves its leases to whoever takes it for dead.
async fn compare(shared: &Arc<Shared>, together: &Together, session: &mut Session) -> Duration {
    let began = Instant::now();
    if !shared.liveness.may_claim() {
        return RETRY_INTERVAL;
    }
    match release_strangers(shared, together, session).await {
        Ok(()) => STRANGERS_INTERVAL.max(began.elapsed() * STRANGERS_SHARE),
        Err(error) => {
            shared.survived("strangers", &error);
            RETRY_INTERVAL
        }
    }
}
