//! Settings of a type that reach its rows.

use std::time::Duration;

use pgq_postgres::{Admin, Enqueue, Enqueued, Job};
use pgq_tests::{count, lease_each, with_database};
use serde_json::json;
use sqlx::Executor;

#[derive(Job)]
#[job(enqueue_only, index(user_id, plan), unique(user_id))]
struct Bill {
    user_id: i64,
    plan: String,
    cents: i64,
}

fn bill(user_id: i64, cents: i64) -> Bill {
    Bill { user_id, plan: "free".into(), cents }
}

#[tokio::test]
async fn a_unique_type_is_unique_without_another_word() {
    with_database(async |db| {
        let pool = db.pool();
        let first = bill(7, 100).enqueue(&pool).await.unwrap();
        assert!(first.is_new());
        assert_eq!(bill(7, 200).enqueue(&pool).await.unwrap(), Enqueued::Existing(first.id()));
        assert!(bill(8, 100).enqueue(&pool).await.unwrap().is_new());
        assert!(bill(7, 300).to_enqueue().not_unique().enqueue(&pool).await.unwrap().is_new());
        assert_eq!(count(&pool, "pgq.jobs").await, 3);
    })
    .await;
}

#[tokio::test]
async fn jobs_are_found_by_their_indexed_fields_wherever_they_are() {
    with_database(async |db| {
        let pool = db.pool();
        let far = Duration::from_secs(3600);
        let there = |user_id, state: &'static str| (bill(user_id, 1).to_enqueue().not_unique(), state);
        for (job, state) in [
            there(7, "ready"),
            there(8, "ready"),
            there(7, "running"),
            there(7, "scheduled"),
            there(7, "cancelled"),
        ] {
            let job = if state == "scheduled" { job.after(far) } else { job.queue(state) };
            let id = job.enqueue(&pool).await.unwrap();
            if state == "cancelled" {
                Admin::new(&pool).cancel(id).await.unwrap();
            }
        }
        let lease = lease_each("queue = 'running'", "gen_random_uuid()");
        sqlx::query(sqlx::AssertSqlSafe(lease)).execute(&pool).await.unwrap();
        let found = "select state from pgq.jobs where kind = 'bill' and args @> $1 order by state";
        let found = sqlx::query_scalar::<_, String>(found).bind(json!({"user_id": 7})).fetch_all(&pool).await;
        assert_eq!(found.unwrap(), ["cancelled", "ready", "running", "scheduled"]);
        // Where jobs stay, an index is there for it.
        let mut session = db.connect().await.unwrap();
        session.execute("set enable_seqscan = off").await.unwrap();
        let plan = "explain select id from pgq.jobs where args @> '{\"user_id\": 7}'";
        let plan: Vec<String> = sqlx::query_scalar(plan).fetch_all(&mut session).await.unwrap();
        assert!(plan.iter().any(|line| line.contains("finished_args")), "{plan:#?}");
        assert!(plan.iter().any(|line| line.contains("scheduled_args")), "{plan:#?}");
    })
    .await;
}

#[tokio::test]
async fn indexed_fields_stand_beside_the_payload() {
    with_database(async |db| {
        let pool = db.pool();
        bill(7, 100).enqueue(&pool).await.unwrap();
        let args: serde_json::Value =
            sqlx::query_scalar("select options -> 'args' from pgq.ready").fetch_one(&pool).await.unwrap();
        assert_eq!(args, json!({"user_id": 7, "plan": "free"}));
    })
    .await;
}
