//! A job that was aboard a crash may be what caused it.

use sqlx::query_scalar;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::settle::ToSettle;
use super::shared::Shared;
use crate::connection::limited;

/// From so many crashes on a job runs with nothing else in its runner.
pub(crate) const ALONE_FROM: i16 = 2;

/// Returns once the end of everything that ran is recorded: a job that completed a moment ago must not be charged with a
/// crash of the one that begins now.
pub(crate) async fn all_recorded(ends: &UnboundedSender<ToSettle>) {
    let (told, recorded) = oneshot::channel();
    if ends.send(ToSettle::WhenRecorded(told)).is_ok() {
        // The settling part outlives every slot; were it gone, nothing would be recorded any more.
        let _ = recorded.await;
    }
}

/// Notes that a suspect begins, so that a crash from now on counts against it; one that only waited in the
/// hands of a runner that died is not to blame. False if the lease is lost, or nobody can tell.
pub(crate) async fn begin(shared: &Shared, lease: Uuid) -> bool {
    let mut session = shared.suspects.lock().await;
    let begun = async {
        let mut lent = session.lend().await?;
        let begin = query_scalar::<_, Uuid>(shared.statements().start_suspect.clone())
            .persistent(shared.keeps_statements());
        let held = limited(begin.bind(shared.id).bind(lease).fetch_optional(&mut *lent)).await?;
        lent.keep().await?;
        Ok(held.is_some())
    };
    begun.await.unwrap_or_else(|error| {
        shared.survived("suspect", &error);
        false
    })
}
