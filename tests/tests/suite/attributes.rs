//! Settings of a type that reach its rows.

use pgq_postgres::{Enqueue, Enqueued, Job};
use pgq_tests::{count, with_database};
use serde_json::json;

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
