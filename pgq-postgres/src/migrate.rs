use sqlx::{Acquire, Connection, PgConnection, Postgres, query_as, query_scalar, raw_sql};
use tracing::info;

use crate::sql::render;
use crate::{Error, Schema};

/// The text of `migrations/grants.sql`, for the schema `pgq`.
const GRANTS: &str = include_str!("../migrations/grants.sql");

/// One file of `migrations/`.
struct Migration {
    version: i32,
    sql: &'static str,
}

const MIGRATIONS: [Migration; 1] =
    [Migration { version: 1, sql: include_str!("../migrations/0001_initial.sql") }];

/// The newest migration this library knows.
pub(crate) const NEWEST: i32 = MIGRATIONS[MIGRATIONS.len() - 1].version;

/// Creates pgq's tables in the schema `pgq`, or brings them up to date. Does nothing where nothing is missing;
/// any number of processes may call it at once.
///
/// What was applied is recorded in `pgq.migrations`; sqlx's own table is not touched.
///
/// # Errors
/// The database cannot be reached, or the role may not create the schema.
pub async fn migrate<'a>(database: impl Acquire<'a, Database = Postgres>) -> Result<(), Error> {
    migrate_schema(database, &Schema::default()).await
}

/// As [`migrate`], in another schema.
///
/// # Errors
/// As [`migrate`].
pub async fn migrate_schema<'a>(
    database: impl Acquire<'a, Database = Postgres>,
    schema: &Schema,
) -> Result<(), Error> {
    let mut connection = database.acquire().await?;
    let mut tx = Connection::begin(&mut *connection).await?;
    // Held until the commit, so that of ten processes that start together one migrates and nine look.
    sqlx::query("select pg_advisory_xact_lock($1)")
        .bind(schema.lock_key("migrate"))
        .execute(&mut *tx)
        .await?;
    let applied = applied(&mut tx, schema).await?.map_or(0, |applied| applied.version);
    for migration in MIGRATIONS.iter().filter(|migration| migration.version > applied) {
        raw_sql(render(migration.sql, schema.name())).execute(&mut *tx).await?;
        info!(schema = schema.name(), migration = migration.version, "migrated");
    }
    tx.commit().await?;
    Ok(())
}

/// SQL that makes roles for those who have to do with a schema's tables, and gives them their rights. Optional: nothing
/// here runs it, and no program needs it. To be run after migrating, each time, by a superuser or the owner of the
/// database.
///
/// ```
/// use pgq_postgres::{Schema, grants_sql};
/// let jobs = Schema::new("jobs")?;
/// assert!(grants_sql(&jobs).contains("alter schema \"jobs\" owner to pgq_owner"));
/// # Ok::<(), pgq_postgres::SchemaError>(())
/// ```
///
/// Five roles: an owner that nobody logs in as, a producer that only enqueues, a runner, a viewer that sees no contents
/// of jobs, and an operator. `docs/roles.md` in the repository says what each may do.
pub fn grants_sql(schema: &Schema) -> String {
    render(GRANTS, schema.name()).as_str().to_owned()
}

/// Fails unless this library can work with the schema as it is.
pub(crate) async fn check(connection: &mut PgConnection, schema: &Schema) -> Result<(), Error> {
    let applied = applied(connection, schema).await?.unwrap_or(Applied { version: 0, oldest_library: 0 });
    let schema = schema.name().to_owned();
    if applied.version < NEWEST {
        return Err(Error::NotMigrated { schema, found: applied.version, needed: NEWEST });
    }
    if applied.oldest_library > NEWEST {
        return Err(Error::SchemaTooNew { schema, needs: applied.oldest_library, known: NEWEST });
    }
    Ok(())
}

struct Applied {
    version: i32,
    oldest_library: i32,
}

async fn applied(connection: &mut PgConnection, schema: &Schema) -> Result<Option<Applied>, sqlx::Error> {
    let statements = schema.statements();
    let exists: bool = query_scalar(statements.migrations_table.clone())
        .persistent(false)
        .fetch_one(&mut *connection)
        .await?;
    if !exists {
        return Ok(None);
    }
    let row: (Option<i32>, Option<i32>) =
        query_as(statements.schema_version.clone()).persistent(false).fetch_one(connection).await?;
    Ok(row.0.zip(row.1).map(|(version, oldest_library)| Applied { version, oldest_library }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_listed_in_order_and_records_itself() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let name = |file: std::io::Result<std::fs::DirEntry>| file.unwrap().file_name();
        let files = std::fs::read_dir(folder).unwrap().map(name).filter(|name| name != "grants.sql").count();
        assert_eq!(files, MIGRATIONS.len(), "a file in {folder} is not listed in MIGRATIONS");
        for (index, migration) in MIGRATIONS.iter().enumerate() {
            assert_eq!(usize::try_from(migration.version).unwrap(), index + 1);
            let record = format!("values ({}, ", migration.version);
            assert!(migration.sql.contains(&record), "migration {} must record itself", migration.version);
        }
    }
}
