//! The schedules that types declare by their attribute.

use pgq_core::__private::{Declared, DeclaredJob};
use pgq_core::{Registration, Registry, UniqueKey};
use pgq_cron::Cron;
use sqlx::query_scalar;
use tracing::info;

use super::shared::Shared;
use crate::connection::{Session, limited};
use crate::enqueue::Prepared;
use crate::schedules::{Definition, missed_columns};
use crate::time::Timestamp;
use crate::{Error, Schema};

/// A declared schedule, and what tells one declaration of it from another.
pub(crate) struct Declaration {
    definition: Definition,
    hash: UniqueKey,
}

/// Reads what the types of a program declare.
pub(crate) fn declarations(registry: &Registry, schema: &Schema) -> Result<Vec<Declaration>, Error> {
    let declared = |registration: &Registration| Some((registration.described(), registration.schedule?));
    let declared = registry.iter().filter_map(declared);
    declared
        .map(|(described, declared)| {
            declaration(declared, schema)
                .map_err(|error| Error::Setting(format!("the schedule of {described}: {error}")))
        })
        .collect()
}

fn declaration(declared: &Declared, schema: &Schema) -> Result<Declaration, Error> {
    let cron = Cron::parse(declared.cron, declared.timezone)?;
    let job = (declared.job)()?;
    let hash = hash(declared, &job)?;
    let Declared { missed, overlap, jitter, .. } = *declared;
    let (name, job) = (job.kind.into(), Prepared::declared(schema, job));
    Ok(Declaration { definition: Definition { name, cron, missed, overlap, jitter, job }, hash })
}

/// Changes with anything that is declared.
fn hash(declared: &Declared, job: &DeclaredJob) -> Result<UniqueKey, Error> {
    let Declared { cron, timezone, missed, overlap, jitter, .. } = declared;
    let unique = job.unique.map(|(unique, key)| (format!("{unique:?}"), *key.as_bytes()));
    let when = (cron, timezone, missed_columns(*missed), overlap.as_str(), jitter.as_micros().to_string());
    let what =
        (job.queue, job.priority, job.version, job.shape, job.max_attempts, &job.body, &job.args, unique);
    UniqueKey::of(job.kind, &(when, what))
        .map_err(|error| Error::Setting(format!("its job has no JSON form: {error}")))
}

/// Writes the declarations that are new to the database. What a person has changed since stays until the declaration
/// changes, and a pause stays in any case.
pub(crate) async fn declare(shared: &Shared, session: &mut Session) -> Result<(), sqlx::Error> {
    for Declaration { definition, hash } in &shared.declarations {
        let mut lent = session.lend().await?;
        let now = query_scalar(shared.statements().now.clone()).persistent(shared.keeps_statements());
        let now: Timestamp = limited(now.fetch_one(&mut *lent)).await?;
        let hash = Some(hash.as_bytes().as_slice());
        let put =
            definition.put(&shared.settings.schema, hash, now.0, None).persistent(shared.keeps_statements());
        if limited(put.fetch_optional(&mut *lent)).await?.is_some() {
            info!(runner = %shared.name, schedule = %definition.name, "declared");
        }
        lent.keep().await?;
    }
    Ok(())
}
