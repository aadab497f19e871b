use sqlx::{Connection, PgConnection, Row, query, query_as, query_scalar};
use tracing::{error, warn};
use uuid::Uuid;

use super::handle::add;
use super::settings::{DEAD_AFTER_BEATS, DEAD_AFTER_BEATS_UNLOCKED, MAX_CRASHES};
use super::shared::Shared;
use crate::connection::{Session, is_locked, is_permanent, limited};

/// A runner that is dead by the database's clock.
pub(super) struct Dead {
    pub(super) id: Uuid,
    pub(super) name: String,
}

/// Takes back what dead runners held. Any runner may; one at a time does.
pub(crate) async fn rescue(shared: &Shared, session: &mut Session) -> Result<(), sqlx::Error> {
    if !shared.liveness.may_judge() {
        return Ok(());
    }
    let mut lent = session.lend().await?;
    let rescued = limited(rescue_all(shared, &mut lent)).await?;
    lent.keep().await?;
    if rescued > 0 {
        add(&shared.counts().rescued, rescued);
        shared.meter.rescued(rescued);
        shared.wake.notify_one();
    }
    Ok(())
}

async fn rescue_all(shared: &Shared, session: &mut PgConnection) -> Result<usize, sqlx::Error> {
    let mut tx = session.begin().await?;
    let locked: bool = query_scalar(shared.statements().try_rescue_lock.clone())
        .persistent(shared.keeps_statements())
        .bind(shared.settings.schema.lock_key("rescue"))
        .fetch_one(&mut *tx)
        .await?;
    if !locked {
        return Ok(0);
    }
    let dead: Vec<(Uuid, String)> = query_as(shared.statements().dead_runners.clone())
        .persistent(shared.keeps_statements())
        .bind(f64::from(DEAD_AFTER_BEATS))
        .bind(f64::from(DEAD_AFTER_BEATS_UNLOCKED))
        .bind(shared.id)
        .fetch_all(&mut *tx)
        .await?;
    let mut rescued = 0;
    for (id, name) in dead {
        rescued += rescue_one(shared, &mut tx, &Dead { id, name }).await?;
    }
    tx.commit().await?;
    Ok(rescued)
}

pub(super) async fn rescue_one(
    shared: &Shared,
    tx: &mut PgConnection,
    dead: &Dead,
) -> Result<usize, sqlx::Error> {
    let leases: Vec<Uuid> = query_scalar(shared.statements().leases_of.clone())
        .persistent(shared.keeps_statements())
        .bind(dead.id)
        .fetch_all(&mut *tx)
        .await?;
    let mut rescued = 0;
    for lease in leases {
        rescued += match try_rescue(shared, tx, dead, lease, None).await {
            Err(error) if is_permanent(&error) => rescue_singly(shared, tx, dead, lease).await?,
            Err(error) if is_locked(&error) => {
                warn!(runner = %shared.name, dead = %dead.name, %lease, "a lease is locked and stays for the next rescue");
                0
            }
            result => result?,
        };
    }
    query(shared.statements().end_rescue.clone())
        .persistent(shared.keeps_statements())
        .bind(dead.id)
        .execute(&mut *tx)
        .await?;
    warn!(runner = %shared.name, dead = %dead.name, jobs = rescued, "took back the jobs of a dead runner");
    Ok(rescued)
}

/// One job that cannot be moved must not hold up the others: each on its own. What fails even so stays where
/// it is for the next try.
async fn rescue_singly(
    shared: &Shared,
    tx: &mut PgConnection,
    dead: &Dead,
    lease: Uuid,
) -> Result<usize, sqlx::Error> {
    let positions: Vec<i32> = query_scalar(shared.statements().leased_positions.clone())
        .persistent(shared.keeps_statements())
        .bind(dead.id)
        .bind(lease)
        .fetch_all(&mut *tx)
        .await?;
    let mut rescued = 0;
    for position in positions {
        match try_rescue(shared, tx, dead, lease, Some(position)).await {
            Ok(jobs) => rescued += jobs,
            Err(error) if is_permanent(&error) => {
                error!(runner = %shared.name, dead = %dead.name, %lease, position, %error, "a job cannot be rescued");
                add(&shared.counts().database_errors, 1);
                shared.meter.database_failed();
            }
            Err(error) => return Err(error),
        }
    }
    Ok(rescued)
}

/// Inside a savepoint, so that a failure undoes only this.
async fn try_rescue(
    shared: &Shared,
    tx: &mut PgConnection,
    dead: &Dead,
    lease: Uuid,
    position: Option<i32>,
) -> Result<usize, sqlx::Error> {
    let mut savepoint = tx.begin().await?;
    let row = query(shared.statements().rescue.clone())
        .persistent(shared.keeps_statements())
        .bind(dead.id)
        .bind(lease)
        .bind(position)
        .bind(&dead.name)
        .bind(MAX_CRASHES)
        .bind(shared.settings.schema.channel())
        .fetch_one(&mut *savepoint)
        .await?;
    savepoint.commit().await?;
    let (again, ended): (i64, i64) = (row.try_get("again")?, row.try_get("ended")?);
    Ok(usize::try_from(again + ended).unwrap_or(0))
}
