use std::sync::Arc;
use std::time::Duration;

use sqlx::{Row, query};

use super::shared::Shared;
use super::stretch::{Columns, Stretch};
use crate::connection::{Session, limited};

/// The most jobs one poll promotes.
const PROMOTE_BATCH: i32 = 1000;

/// What a poll saw.
pub(crate) struct Seen {
    pub(crate) promoted: usize,
    /// A claim would find something.
    pub(crate) claimable: bool,
    /// Whether it looked from the start of the queues, and not from the floors.
    pub(crate) from_start: bool,
    /// When there will be something, as far as is known now.
    pub(crate) due_in: Option<Duration>,
}

/// Promotes due jobs, and looks ahead.
pub(crate) async fn poll(
    shared: &Arc<Shared>,
    session: &mut Session,
    queues: Vec<(&str, Vec<Stretch>)>,
    idle: bool,
) -> Result<Seen, sqlx::Error> {
    let (queues, stretches): (Vec<&str>, Vec<_>) = queues.into_iter().unzip();
    let stretches = Columns::of(stretches.into_iter());
    let mut lent = session.lend().await?;
    let row = limited(
        stretches
            .bind_to(
                query(shared.statements().poll.clone()).persistent(shared.keeps_statements()).bind(queues),
            )
            .bind(&shared.kinds.names)
            .bind(PROMOTE_BATCH)
            .bind(shared.id)
            .bind(idle && shared.settings.listen)
            .bind(shared.settings.schema.channel())
            .bind(&shared.kinds.versions)
            .fetch_one(&mut *lent),
    )
    .await?;
    lent.keep().await?;
    let limited: Vec<String> = row.try_get("limited")?;
    let limits: Vec<i32> = row.try_get("limits")?;
    shared.room.set_limits(&limited, &limits);
    let promoted: i64 = row.try_get("promoted")?;
    let due_in_ms: Option<f64> = row.try_get("due_in_ms")?;
    Ok(Seen {
        promoted: usize::try_from(promoted).unwrap_or(0),
        claimable: promoted > 0 || row.try_get("claimable")?,
        from_start: false,
        due_in: due_in_ms.and_then(|ms| Duration::try_from_secs_f64(ms.max(0.0) / 1000.0).ok()),
    })
}

/// Where a runner is between busy and asleep.
///
/// An idle runner marks itself asleep on its queues, so that enqueues notify it, and looks once more before it
/// sleeps: whatever was committed before the mark could be seen is found by that look. The mark stays while it
/// finds a job now and then; it is taken back when there is more than the runner can take.
#[derive(Debug, Default)]
pub(crate) struct Idle {
    nothing_left: bool,
    marked: bool,
    looked_since_mark: bool,
    overslept: bool,
    notified: bool,
    full_claims: u32,
    /// Claims that found nothing although a poll said that there is something.
    blanks: u32,
}

impl Idle {
    pub(crate) fn is_idle(&self) -> bool {
        self.nothing_left
    }

    /// The time to sleep ran out without a word: a poll says whether a claim is worth its cost.
    pub(crate) fn polls_first(&self) -> bool {
        self.overslept
    }

    pub(crate) fn overslept(&mut self) {
        self.overslept = true;
    }

    pub(crate) fn woken(&mut self) {
        self.overslept = false;
    }

    pub(crate) fn notified(&mut self) {
        self.woken();
        self.notified = true;
    }

    pub(crate) fn is_notified(&self) -> bool {
        self.notified
    }

    /// Whether a notification came since the last time this was asked.
    pub(crate) fn was_notified(&mut self) -> bool {
        std::mem::take(&mut self.notified)
    }

    pub(crate) fn found_nothing(&mut self) {
        let blanks = self.blanks + 1;
        self.found_the_rest();
        self.blanks = blanks;
    }

    /// A claim took less than it could have: the queues are empty now.
    pub(crate) fn found_the_rest(&mut self) {
        self.nothing_left = true;
        self.blanks = 0;
        self.full_claims = 0;
        self.looked_since_mark = self.marked;
    }

    /// A claim took all it could: there may be more. Twice in a row, and enqueues need not notify this runner.
    pub(crate) async fn found_all(
        &mut self,
        shared: &Shared,
        session: &mut Session,
    ) -> Result<(), sqlx::Error> {
        self.nothing_left = false;
        self.blanks = 0;
        self.full_claims += 1;
        if self.full_claims >= 2 { self.wake_up(shared, session).await } else { Ok(()) }
    }

    /// Takes the mark back: this runner looks often enough by itself.
    pub(crate) async fn wake_up(
        &mut self,
        shared: &Shared,
        session: &mut Session,
    ) -> Result<(), sqlx::Error> {
        self.nothing_left = false;
        if self.marked {
            let mut lent = session.lend().await?;
            limited(
                query(shared.statements().wake.clone())
                    .persistent(shared.keeps_statements())
                    .bind(shared.id)
                    .execute(&mut *lent),
            )
            .await?;
            lent.keep().await?;
            self.marked = false;
        }
        Ok(())
    }

    /// Every poll of an idle runner leaves it marked.
    pub(crate) fn polled(&mut self, seen: &Seen) {
        self.overslept = false;
        if !seen.claimable {
            self.blanks = 0;
        }
        self.marked |= self.nothing_left;
    }

    /// How long to wait although something is claimable: others are at it, or hold it locked.
    pub(crate) fn contention(&self) -> Option<Duration> {
        let exponent = self.blanks.checked_sub(1)?;
        Some(Duration::from_millis(1 << exponent.min(10)))
    }

    pub(crate) fn must_look_again(&self) -> bool {
        !self.looked_since_mark
    }
}
