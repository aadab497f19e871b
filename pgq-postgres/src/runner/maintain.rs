use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::prune::prune;
use super::rescue::rescue;
use super::shared::Shared;
use super::unpark::unpark;
use super::unserved::tell_unserved;
use crate::meter::Sampler;

/// How often leases without a runner and jobs without a program are looked for. A suspicion comes sooner.
const RESCUE_INTERVAL: Duration = Duration::from_secs(60);

/// Rescues and prunes, on a session of its own so that neither delays a claim or a settle.
pub(crate) async fn maintain(shared: Arc<Shared>) {
    let mut session = shared.session("maintain");
    let stop = shared.handle.stop.clone();
    let mut sampler = Sampler::new();
    let prune_interval = shared.settings.prune_interval;
    let mut next_prune = Instant::now() + prune_interval.mul_f64(fastrand::f64());
    let mut next_rescue = Instant::now();
    let mut unparked = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = shared.suspicion.notified() => next_rescue = Instant::now(),
            () = sleep_until(next_prune.min(next_rescue).min(sampler.next())) => {}
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
