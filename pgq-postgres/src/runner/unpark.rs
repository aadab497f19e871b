use sqlx::query_scalar;
use tracing::info;

use super::shared::Shared;
use crate::connection::{Session, limited};

/// How many jobs one statement lets go.
const BATCH: i64 = 500;

/// Gives the parked jobs of this runner's kinds one more try: a newer program may read what an older one could not.
pub(crate) async fn unpark(shared: &Shared, session: &mut Session) -> Result<(), sqlx::Error> {
    let mut all = 0;
    loop {
        let mut lent = session.lend().await?;
        let unpark = query_scalar(shared.statements().unpark.clone())
            .persistent(shared.keeps_statements())
            .bind(&shared.kinds.names)
            .bind(&shared.kinds.versions)
            .bind(BATCH)
            .bind(shared.id);
        let freed: i64 = limited(unpark.fetch_one(&mut *lent)).await?;
        lent.keep().await?;
        all += freed;
        if freed < BATCH {
            break;
        }
    }
    if all > 0 {
        info!(runner = %shared.name, jobs = all, "parked jobs are tried again");
        shared.wake.notify_one();
    }
    Ok(())
}
