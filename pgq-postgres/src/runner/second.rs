//! The second session that claims, for runners that have plenty to do: while the server works on one claim, the runner
//! hands over what another has brought. It also looks behind the floors where that takes long.

use std::time::Duration;

use tokio::time::sleep;

use super::claim::Claims;
use super::room::Reserved;
use crate::connection::Backoff;

/// Between two tries at least, when it may not claim.
const PAUSE: Duration = Duration::from_millis(100);

/// Claims beside the claimer whenever that finds plenty, or a look is due that takes long. It neither polls nor promotes.
pub(crate) async fn second(mut claims: Claims) {
    let shared = claims.shared.clone();
    let together = claims.together.clone();
    let stop = shared.handle.stop.clone();
    let mut backoff = Backoff::default();
    while !stop.is_cancelled() {
        tokio::select! {
            () = together.second.notified() => {}
            () = dear_look(&claims) => {}
            () = stop.cancelled() => break,
        }
        // Dropped half-way, a claim may have been made: its lease is left to a rescuer.
        let spell =
            tokio::select! { spell = while_plenty(&mut claims) => spell, () = shared.hurry() => break };
        match spell {
            Ok(()) => backoff.reset(),
            Err(error) => {
                claims.distrust(&error);
                tokio::select! { () = backoff.wait() => {} () = stop.cancelled() => {} }
            }
        }
    }
    claims.session.close().await;
}

/// Returns when a look is due, if looks are left to this session.
async fn dear_look(claims: &Claims) {
    match claims.look_in() {
        Some(due) => sleep(due.max(PAUSE)).await,
        None => std::future::pending().await,
    }
}

/// Claims until there is less than it asks for or a crowd of runners, and no look goes on.
async fn while_plenty(claims: &mut Claims) -> Result<(), sqlx::Error> {
    let shared = claims.shared.clone();
    // Queues with a limit have one session: two could claim the same free place.
    while !shared.stopping() && shared.liveness.may_claim() && !shared.room.has_limits() {
        match Reserved::of(&shared) {
            Some(room) => {
                let free = room.jobs();
                let plenty = claims.claim(room).await? == free && !shared.in_a_crowd();
                if !plenty && !claims.looks() {
                    break;
                }
            }
            None => tokio::select! {
                () = shared.room.freed_for_second() => {}
                () = shared.handle.stop.cancelled() => {}
            },
        }
    }
    Ok(())
}
