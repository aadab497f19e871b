use std::sync::Arc;

use pgq_core::Outcome;
use sqlx::query_scalar;
use tracing::warn;
use uuid::Uuid;

use super::claim::Together;
use super::handle::add;
use super::ledger::{Afterlife, Flush, Remains};
use super::settle::record;
use super::shared::Shared;
use crate::connection::{Session, limited};

/// Gives back the leases in this runner's name that it does not know: the reply to their claim was lost, or a
/// server crash undid their settling. Nobody else would, since their owner lives.
///
/// A lease of which that is still so once no claim is under way is a stranger.
pub(crate) async fn release_strangers(
    shared: &Arc<Shared>,
    together: &Together,
    session: &mut Session,
) -> Result<(), sqlx::Error> {
    let mut lent = session.lend().await?;
    let leases: Vec<Uuid> = limited(
        query_scalar(shared.statements().leases_of.clone())
            .persistent(shared.keeps_statements())
            .bind(shared.id)
            .fetch_all(&mut *lent),
    )
    .await?;
    let unknown: Vec<_> = leases.into_iter().filter(|lease| !shared.ledger.holds(*lease)).collect();
    if unknown.is_empty() {
        return lent.keep().await;
    }
    let _none_under_way = together.under_way.write().await;
    for lease in unknown.into_iter().filter(|lease| !shared.ledger.holds(*lease)) {
        let positions: Vec<i32> = limited(
            query_scalar(shared.statements().leased_positions.clone())
                .persistent(shared.keeps_statements())
                .bind(shared.id)
                .bind(lease)
                .fetch_all(&mut *lent),
        )
        .await?;
        let released = limited(record(shared, &mut lent, &[release_of(lease, &positions)])).await?;
        if released.contains(&lease) {
            warn!(runner = %shared.name, %lease, jobs = positions.len(), "gave back a lease that this runner did not know");
            add(&shared.counts().released, positions.len());
            shared.wake.notify_one();
        }
    }
    lent.keep().await?;
    Ok(())
}

fn release_of(lease: Uuid, positions: &[i32]) -> Flush {
    let remains = positions.iter().filter_map(|position| usize::try_from(*position).ok()).map(|position| {
        Remains { position, queue: Arc::default(), outcome: Outcome::Release, afterlife: Afterlife::None }
    });
    Flush {
        lease,
        done: Vec::new(),
        ends: positions.len(),
        whole: true,
        remains: remains.collect(),
        again: Vec::new(),
        completed_queue: None,
    }
}
