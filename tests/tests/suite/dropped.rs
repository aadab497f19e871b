//! A call whose future is dropped half-way, as by a timeout, leaves no transaction open behind it.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use pgq_devdb::Database;
use pgq_postgres::testing::context;
use pgq_postgres::{Admin, DatabaseContext, Enqueue, OnConflict, Prepared, Unique, enqueue_all};
use pgq_tests::{Action, Proxy, Step, count, job, with_database};
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgPool, Postgres, Transaction, query_scalar};

/// Polls a future that often and drops it; what it came to, if it did.
async fn polled<T>(future: impl Future<Output = T>, times: usize) -> Option<T> {
    let mut future = pin!(future);
    let mut polls = 0;
    poll_fn(|context| {
        if polls == times {
            return Poll::Ready(None);
        }
        polls += 1;
        match future.as_mut().poll(context) {
            Poll::Pending if polls < times => Poll::Pending,
            Poll::Pending => Poll::Ready(None),
            Poll::Ready(value) => Poll::Ready(Some(value)),
        }
    })
    .await
}

/// A pool of one whose session is spoken to on this thread, so that no answer is there before the next poll.
async fn pool_of_one(proxy: &Proxy) -> PgPool {
    PgPoolOptions::new().max_connections(1).connect(proxy.url()).await.unwrap()
}

/// What the next sessions of the pool are told is answered, and committed.
async fn works(pool: &PgPool, db: &Database) {
    for n in 0..3 {
        let id = Step::succeed(n).enqueue(pool).await.unwrap().id();
        assert!(job(&db.pool(), id).await.is_some(), "{id} is not committed");
    }
}

/// Drops a call after every number of polls until it completes.
async fn leaves_nothing_open(call: impl AsyncFn(&PgPool)) {
    with_database(async |db| {
        let proxy = Proxy::start(db.url()).await;
        let pool = pool_of_one(&proxy).await;
        for times in 1.. {
            let completed = polled(call(&pool), times).await;
            works(&pool, db).await;
            if completed.is_some() {
                assert!(times > 2, "it was dropped on the way");
                break;
            }
        }
    })
    .await;
}

fn mixed() -> Vec<Prepared> {
    let unique = Unique::while_unfinished().on_conflict(OnConflict::Replace);
    let long = Action::Fail("long ".repeat(1000));
    vec![
        Step::succeed(1).prepare().unwrap(),
        Step::of(2, long).prepare().unwrap(),
        Step::succeed(3).after(Duration::from_secs(3600)).prepare().unwrap(),
        Step::succeed(4).to_enqueue().unique_by(unique, "a key").unwrap().prepare().unwrap(),
    ]
}

#[tokio::test]
async fn an_enqueue() {
    leaves_nothing_open(async |pool| {
        let _ = Step::succeed(1).enqueue(pool).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_enqueue_of_many() {
    leaves_nothing_open(async |pool| drop(enqueue_all(pool, mixed()).await.unwrap())).await;
}

#[tokio::test]
async fn a_look_of_an_operator() {
    leaves_nothing_open(async |pool| drop(Admin::new(pool).states().await.unwrap())).await;
}

#[tokio::test]
async fn a_transaction_of_a_handler() {
    leaves_nothing_open(async |pool| {
        let ctx = context(()).pool(pool).build();
        let mut tx = ctx.begin().await.unwrap();
        Step::succeed(1).enqueue(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    })
    .await;
}

/// Drops `enqueue_all` in a transaction after every number of polls until it completes.
async fn within_a_transaction(then: impl AsyncFn(Transaction<'_, Postgres>, &Database)) {
    with_database(async |db| {
        let proxy = Proxy::start(db.url()).await;
        let pool = pool_of_one(&proxy).await;
        for times in 1.. {
            let mut tx = pool.begin().await.unwrap();
            Step::succeed(1).enqueue(&mut *tx).await.unwrap();
            let completed = polled(enqueue_all(&mut *tx, mixed()), times).await;
            then(tx, db).await;
            works(&pool, db).await;
            if completed.is_some() {
                assert!(times > 2, "it was dropped on the way");
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_enqueue_of_many_in_a_transaction_that_is_dropped_with_it() {
    within_a_transaction(async |tx, _| drop(tx)).await;
}

/// Some of the jobs may be in it.
#[tokio::test]
async fn a_transaction_that_goes_on_is_committed_or_says_that_it_is_not() {
    within_a_transaction(async |mut tx, db| {
        let more = Step::succeed(2).enqueue(&mut *tx).await;
        let committed = tx.commit().await;
        if let Ok(more) = more {
            assert_eq!(job(&db.pool(), more).await.is_some(), committed.is_ok());
        }
    })
    .await;
}

#[tokio::test]
async fn a_transaction_that_is_committed_at_once_is_so_or_says_that_it_is_not() {
    within_a_transaction(async |tx, db| {
        let before = count(&db.pool(), "pgq.jobs").await;
        let committed = tx.commit().await;
        let after = count(&db.pool(), "pgq.jobs").await;
        assert_eq!(after > before, committed.is_ok());
    })
    .await;
}

#[tokio::test]
async fn an_enqueue_of_many_that_fails_leaves_a_transaction_that_goes_on() {
    with_database(async |db| {
        let proxy = Proxy::start(db.url()).await;
        let pool = pool_of_one(&proxy).await;
        let huge = Step::of(9, Action::Fail("x".repeat(2 << 20)));
        let mut tx = pool.begin().await.unwrap();
        let before = Step::succeed(1).enqueue(&mut *tx).await.unwrap();
        enqueue_all(&mut *tx, [Step::succeed(2), Step::succeed(3), huge]).await.unwrap_err();
        let after = Step::succeed(4).enqueue(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        let ids: Vec<i64> =
            query_scalar("select id from pgq.jobs order by id").fetch_all(&pool).await.unwrap();
        assert_eq!(ids, [before.id().0, after.id().0]);
        works(&pool, db).await;
    })
    .await;
}
