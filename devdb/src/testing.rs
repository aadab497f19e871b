//! Runs a test with a database of its own.

use std::error::Error as StdError;
use std::panic::{AssertUnwindSafe, resume_unwind};

use futures_util::FutureExt;

use crate::database::Database;
use crate::error::Error;
use crate::template::Template;

/// Runs `body` with a fresh database, cloned from the template that `prepare` made for `fingerprint`
/// (see [`Template::prepare`]), and drops it afterwards, also when `body` panics.
///
/// ```no_run
/// #[tokio::test]
/// async fn a_table_starts_empty() {
///     let migrate = async |url: &str| {
///         use sqlx::{Connection, PgConnection};
///         let mut connection = PgConnection::connect(url).await?;
///         sqlx::raw_sql("create table t (n int)").execute(&mut connection).await.map(drop)
///     };
///     pgq_devdb::test_database("t 1", migrate, async |db| {
///         let count: i64 = sqlx::query_scalar("select count(*) from t").fetch_one(&db.pool()).await.unwrap();
///         assert_eq!(count, 0);
///     })
///     .await;
/// }
/// ```
///
/// # Panics
///
/// If there is no server, if `prepare` fails, and with whatever `body` panics with.
pub async fn test_database<P, E, B, T>(fingerprint: &str, prepare: P, body: B) -> T
where
    P: AsyncFnOnce(&str) -> Result<(), E>,
    E: Into<Box<dyn StdError + Send + Sync>>,
    B: AsyncFnOnce(&Database) -> T,
{
    let template = Template::prepare(fingerprint, prepare).await.unwrap_or_else(|error| give_up(&error));
    let database = Database::create(&template).await.unwrap_or_else(|error| give_up(&error));
    let result = AssertUnwindSafe(body(&database)).catch_unwind().await;
    let removed = database.remove().await;
    match result {
        Ok(value) => {
            removed.unwrap_or_else(|error| give_up(&error));
            value
        }
        // The test's own failure says more than that its database could not be dropped.
        Err(panic) => resume_unwind(panic),
    }
}

/// [`test_database`] for a plain `#[test]`: brings a runtime of its own, with two worker threads.
///
/// # Panics
///
/// As [`test_database`], and if called inside a tokio runtime.
pub fn run<P, E, B, T>(fingerprint: &str, prepare: P, body: B) -> T
where
    P: AsyncFnOnce(&str) -> Result<(), E>,
    E: Into<Box<dyn StdError + Send + Sync>>,
    B: AsyncFnOnce(&Database) -> T,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("the system grants threads").block_on(test_database(fingerprint, prepare, body))
}

#[track_caller]
fn give_up<T>(error: &Error) -> T {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        message.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    panic!("{message}")
}
