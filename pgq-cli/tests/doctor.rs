//! What doctor finds, through the binary: each finding says what is the case and what to do.

#[expect(dead_code, reason = "the tests of all commands use the rest of it")]
#[path = "support/mod.rs"]
mod support;

use pgq_devdb::Database;
use pgq_postgres::{Enqueue, Schema, grants_sql};
use pgq_tests::{Step, count, until, with_database};
use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Executor, query_scalar, raw_sql};
use support::run;

/// What one check says, of those that are not as they should be.
async fn findings(db: &Database, arguments: &[&str], check: &str) -> Vec<Value> {
    let arguments = [&["doctor", "--quiet", "--json"], arguments].concat();
    let (_, said, complaints) = run(db, &arguments).await;
    let all: Vec<Value> =
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}{complaints}"));
    // Sessions of other tests that are just starting belong to no database yet, and keep rows alive as well.
    let starts = |finding: &Value| {
        let text = finding["text"].as_str().unwrap();
        text.contains(", starting) keeps") || text.contains(", no state) keeps")
    };
    all.into_iter().filter(|finding| finding["check"] == check && !starts(finding)).collect()
}

/// The only finding of that check, which has these words in its text and those in its remedy.
async fn finds(db: &Database, arguments: &[&str], check: &str, text: &[&str], remedy: &str) {
    let found = findings(db, arguments, check).await;
    let [finding] = &found[..] else { panic!("one finding of {check}: {found:?}") };
    for words in text {
        assert!(finding["text"].as_str().unwrap().contains(words), "{words}: {finding}");
    }
    assert!(finding["remedy"].as_str().unwrap().contains(remedy), "{remedy}: {finding}");
}

/// The address at which every session is in that role.
fn in_role(db: &Database, role: &str) -> String {
    format!("{}?options[role]={role}", db.url())
}

#[tokio::test]
async fn who_keeps_rows_alive_is_told_with_the_process_and_since_when() {
    with_database(async |db| {
        let options: PgConnectOptions = db.url().parse().unwrap();
        let pool = PgPoolOptions::new().connect_with(options.application_name("a report")).await.unwrap();
        let mut tx = pool.begin().await.unwrap();
        tx.execute("set transaction isolation level repeatable read").await.unwrap();
        let process: i32 = query_scalar("select pg_backend_pid()").fetch_one(&mut *tx).await.unwrap();
        let who = format!("session process {process} of ");
        let text = [&*who, "(a report, idle in transaction) keeps dead rows alive for 0 s"];
        let remedy = "end it with select pg_terminate_backend(its process)";
        finds(db, &["--old-transaction", "0s"], "transactions", &text, remedy).await;
        assert_eq!(findings(db, &[], "transactions").await, Vec::<Value>::new(), "it is not a minute old");
        tx.rollback().await.unwrap();
        assert_eq!(findings(db, &["--old-transaction", "0s"], "transactions").await, Vec::<Value>::new());
    })
    .await;
}

#[tokio::test]
async fn many_dead_rows_are_told_with_their_number() {
    with_database(async |db| {
        let pool = db.pool();
        // As long as this is open autovacuum removes none of them.
        let mut tx = pool.begin().await.unwrap();
        tx.execute("set transaction isolation level repeatable read").await.unwrap();
        tx.execute("select count(*) from pgq.ready").await.unwrap();
        let fill = "insert into pgq.ready (id, shape, priority, version, max_attempts, queue, kind) \
                    select n, 0, 0, 1, 1, 'q', 'k' from generate_series(1, 100100) n";
        pool.execute(fill).await.unwrap();
        pool.execute("delete from pgq.ready").await.unwrap();
        let noticed = "pg_stat_user_tables where relname = 'ready' and n_dead_tup > 100000";
        until(async || count(&pool, noticed).await > 0).await;
        finds(db, &[], "dead rows", &["ready has 100100 dead rows"], "then vacuum pgq.ready").await;
    })
    .await;
}

#[tokio::test]
async fn a_role_is_told_what_it_may_not_do_and_may_not_see() {
    with_database(async |db| {
        let pool = db.pool();
        finds(db, &[], "role", &["may do everything in every database"], "a role of their own").await;
        raw_sql(AssertSqlSafe(grants_sql(&Schema::default()))).execute(&pool).await.unwrap();
        let viewer = in_role(db, "pgq_viewer");
        let viewer = ["--database-url", &*viewer];
        finds(
            db,
            &viewer,
            "role",
            &["pgq_viewer may neither enqueue, claim nor operate"],
            "fine for looking",
        )
        .await;
        let hidden = ["sessions of other roles cannot be seen"];
        finds(db, &viewer, "transactions", &hidden, "grant pg_read_all_stats to pgq_viewer").await;
        let operator = in_role(db, "pgq_operator");
        assert_eq!(findings(db, &["--database-url", &operator], "role").await, Vec::<Value>::new());
    })
    .await;
}

#[tokio::test]
async fn a_silent_runner_serves_no_kind() {
    with_database(async |db| {
        let pool = db.pool();
        Step::succeed(1).enqueue(&pool).await.unwrap();
        pool.execute(
            "insert into pgq.runners (id, name, heartbeat_at, heartbeat_every, library, slots, queues, kinds, versions) \
             values (md5('1')::uuid, 'host:1', now() - interval '1 hour', '2 s', '', 1, '{step}', '{step}', '{32767}')",
        )
        .await
        .unwrap();
        let all = findings(db, &[], "runners").await;
        let texts: Vec<_> = all.iter().map(|finding| finding["text"].as_str().unwrap()).collect();
        assert!(texts.contains(&"no runner lives"), "{texts:?}");
        assert!(texts.iter().any(|text| text.starts_with("host:1 is silent for 360")), "{texts:?}");
        finds(db, &[], "kinds", &["1 jobs of kind step, version "], "deploy a program that knows the kind").await;
    })
    .await;
}
