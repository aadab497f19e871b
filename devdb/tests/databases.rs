//! Goal: every test has a database of its own, made from one template, and leaves none behind.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::FutureExt;
use pgq_devdb::{Database, Template};
use sqlx::{Connection, PgConnection};

/// The preparation of all tests here but those that need one of their own.
async fn migrate(url: &str) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql("create table t (n int)").execute(&mut connection).await.map(drop)
}

const FINGERPRINT: &str = "devdb tests 1";

/// A fingerprint that no earlier run used.
fn fresh(name: &str) -> String {
    format!("{name} {:?} {}", std::time::Instant::now(), std::process::id())
}

async fn count(database: &Database) -> i64 {
    sqlx::query_scalar("select count(*) from t").fetch_one(&database.pool()).await.unwrap()
}

async fn exists(name: &str) -> bool {
    let mut connection = PgConnection::connect(&pgq_devdb::url().unwrap()).await.unwrap();
    let query = sqlx::query_scalar("select exists (select from pg_database where datname = $1)");
    query.bind(name).fetch_one(&mut connection).await.unwrap()
}

async fn drop_template(name: &str) {
    let mut connection = PgConnection::connect(&pgq_devdb::url().unwrap()).await.unwrap();
    let statement = sqlx::AssertSqlSafe(format!("drop database \"{name}\""));
    sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
}

#[tokio::test]
async fn tests_do_not_see_each_other_and_leave_nothing() {
    let one = pgq_devdb::test_database(FINGERPRINT, migrate, async |one| {
        sqlx::query("insert into t values (1)").execute(&one.pool()).await.unwrap();
        pgq_devdb::test_database(FINGERPRINT, migrate, async |two| {
            assert_eq!((count(one).await, count(two).await), (1, 0));
            assert!(exists(two.name()).await);
        })
        .await;
        one.name().to_owned()
    })
    .await;
    assert!(!exists(&one).await);
}

#[tokio::test]
async fn a_panic_drops_the_database_even_with_sessions_open() {
    let mut name = String::new();
    let mut left_open = None;
    let body = async |database: &Database| {
        name = database.name().to_owned();
        left_open = Some(database.connect().await.unwrap());
        panic!("the test's own message");
    };
    let test = std::panic::AssertUnwindSafe(pgq_devdb::test_database(FINGERPRINT, migrate, body));
    let panic = test.catch_unwind().await.unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"the test's own message"));
    assert!(!exists(&name).await);
}

#[test]
fn a_plain_test_gets_a_runtime_and_may_return_a_result() {
    let result = pgq_devdb::run(FINGERPRINT, migrate, async |database| {
        let mut connection = database.connect().await?;
        let task =
            tokio::spawn(async move { sqlx::query("select n from t").fetch_all(&mut connection).await });
        let rows = task.await.unwrap().unwrap();
        Ok::<_, pgq_devdb::Error>(rows.len())
    });
    assert_eq!(result.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_is_prepared_once_however_many_ask() {
    let prepared = AtomicU32::new(0);
    let fingerprint = fresh("once");
    let prepare = async |url: &str| {
        prepared.fetch_add(1, Ordering::SeqCst);
        migrate(url).await
    };
    let all = (0..8).map(|_| Template::prepare(&fingerprint, prepare));
    let templates = futures_util::future::try_join_all(all).await.unwrap();
    assert_eq!(prepared.load(Ordering::SeqCst), 1);
    assert!(templates.iter().all(|template| template.name() == templates[0].name()));
    drop_template(templates[0].name()).await;
}

#[tokio::test]
async fn a_preparation_that_fails_leaves_nothing_and_can_be_tried_again() {
    let fingerprint = fresh("fails");
    let mut half_done = String::new();
    let failing = async |url: &str| {
        migrate(url).await.unwrap();
        half_done = url.rsplit('/').next().unwrap_or_default().to_owned();
        Err::<(), _>("no such migration")
    };
    let error = Template::prepare(&fingerprint, failing).await.unwrap_err();
    assert!(
        matches!(error, pgq_devdb::Error::Prepare { ref source } if source.to_string() == "no such migration")
    );
    assert!(!exists(&half_done).await);

    let template = Template::prepare(&fingerprint, migrate).await.unwrap();
    drop_template(template.name()).await;
}

#[tokio::test]
async fn a_session_that_the_preparation_forgot_does_not_hinder_cloning() {
    let fingerprint = fresh("forgets");
    let mut forgotten = None;
    let prepare = async |url: &str| {
        forgotten = Some(PgConnection::connect(url).await?);
        migrate(url).await
    };
    let template = Template::prepare(&fingerprint, prepare).await.unwrap();
    let database = Database::create(&template).await.unwrap();
    assert_eq!(count(&database).await, 0);
    database.remove().await.unwrap();
    drop_template(template.name()).await;
}

#[tokio::test]
async fn leftovers_of_crashed_tests_are_swept() {
    let mut connection = PgConnection::connect(&pgq_devdb::url().unwrap()).await.unwrap();
    let old = format!("pgq_test_1600000000_{}", std::process::id());
    let unrelated = format!("pgq_test_{}", std::process::id());
    for name in [&old, &unrelated] {
        let statement = sqlx::AssertSqlSafe(format!("create database {name}"));
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    }
    let template =
        Template::prepare(&fresh("sweeps"), async |_: &str| Ok::<(), Infallible>(())).await.unwrap();
    assert!(!exists(&old).await);
    assert!(exists(&unrelated).await, "a name without a time is not ours");
    drop_template(template.name()).await;
    drop_template(&unrelated).await;
}
