//! Callers that enqueue at the same time share commits.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use pgq_postgres::{Enqueue, Enqueued, Enqueuer, Error, OnConflict, Unique};
use pgq_tests::{Action, Running, Step, count, states, until_locked, with_database};
use sqlx::{Executor, PgPool, Postgres, Transaction, query_scalar};
use tokio::task::JoinHandle;

const HOUR: Duration = Duration::from_secs(3600);

/// A call that goes on while the test does something else.
type Call = JoinHandle<Result<Enqueued, Error>>;

fn call(enqueuer: &Enqueuer, n: i64) -> Call {
    let enqueuer = enqueuer.clone();
    tokio::spawn(async move { enqueuer.enqueue(Step::succeed(n)).await })
}

/// Locks the table, lets steps 0 and 1 be written one by one and wait for that, and then lets others gather.
async fn jam(pool: &PgPool, enqueuer: &Enqueuer) -> (Transaction<'static, Postgres>, [Call; 2], Vec<Call>) {
    let mut locker = pool.begin().await.unwrap();
    locker.execute("lock table pgq.ready in share mode").await.unwrap();
    let first = call(enqueuer, 0);
    until_locked(pool, 1).await;
    let second = call(enqueuer, 1);
    until_locked(pool, 2).await;
    let late = (2..12).map(|n| call(enqueuer, n)).collect();
    tokio::task::yield_now().await;
    (locker, [first, second], late)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_ends_with_its_own_job_committed_and_many_share_a_commit() {
    with_database(async |db| {
        let pool = db.pool();
        let enqueuer = Enqueuer::new(&pool);
        let callers = (0..64).map(|caller| {
            let (enqueuer, pool) = (enqueuer.clone(), pool.clone());
            tokio::spawn(async move {
                let mut ids = Vec::new();
                for n in 0..20 {
                    let enqueued = enqueuer.enqueue(Step::succeed(caller * 20 + n)).await.unwrap();
                    assert!(enqueued.is_new());
                    ids.push(enqueued.id().0);
                }
                let there: i64 = query_scalar("select count(*) from pgq.ready where id = any($1)")
                    .bind(&ids)
                    .fetch_one(&pool)
                    .await
                    .unwrap();
                assert_eq!(there, 20);
                assert!(ids.is_sorted(), "{ids:?}");
                ids
            })
        });
        let ids: BTreeSet<i64> = join_all(callers).await.into_iter().flat_map(Result::unwrap).collect();
        assert_eq!(ids.len(), 64 * 20);
        let commits = count(&pool, "(select distinct xmin::text from pgq.ready) c").await;
        assert!(commits < 64 * 20 / 2, "{commits} commits");
        let running = Running::start(db);
        running.until(|counts| counts.completed == 64 * 20).await;
        let (_, ran) = running.stop().await;
        let ran: BTreeSet<i64> = ran.into_iter().map(|ran| ran.n).collect();
        assert_eq!(ran, (0..64 * 20).collect());
    })
    .await;
}

#[tokio::test]
async fn jobs_of_all_sorts_come_together_as_if_each_had_been_enqueued() {
    with_database(async |db| {
        let pool = db.pool();
        let enqueuer = Enqueuer::new(&pool);
        let unique = Unique::while_unfinished().on_conflict(OnConflict::Error);
        let one = |n| Step::succeed(n).to_enqueue().unique_by(unique, "one").unwrap();
        let answers = tokio::join!(
            enqueuer.enqueue(Step::succeed(1)),
            enqueuer.enqueue(one(2)),
            enqueuer.enqueue(Step::succeed(3).after(HOUR)),
            enqueuer.enqueue(one(4)),
            enqueuer.enqueue(Step::of(5, Action::InTurn(vec![Action::Succeed; 3000])).prepare().unwrap()),
            enqueuer.enqueue(Step::succeed(6).queue("two words")),
        );
        for answer in [&answers.0, &answers.1, &answers.2, &answers.4] {
            assert!(answer.as_ref().unwrap().is_new());
        }
        let Enqueued::New(holder) = *answers.1.as_ref().unwrap() else { panic!("{answers:?}") };
        assert!(matches!(answers.3, Err(Error::Duplicate { job, .. }) if job == holder), "{answers:?}");
        assert!(matches!(answers.5, Err(Error::Name(_))), "{answers:?}");
        assert_eq!(states(&pool).await, [("ready".to_owned(), 3), ("scheduled".to_owned(), 1)]);
        assert_eq!(count(&pool, "pgq.payloads").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_job_that_the_database_refuses_fails_alone() {
    with_database(async |db| {
        let pool = db.pool();
        pool.execute("alter table pgq.ready add constraint few check (priority < 100)").await.unwrap();
        let enqueuer = Enqueuer::new(&pool);
        let job = |n: i64| enqueuer.enqueue(Step::succeed(n).priority(if n == 7 { 100 } else { 0 }));
        let answers = join_all((0..20).map(job)).await;
        for (n, answer) in answers.into_iter().enumerate() {
            match answer {
                Err(Error::Database(error)) => {
                    assert!(n == 7 && error.to_string().contains("few"), "{n}: {error}")
                }
                answer => assert!(n != 7 && answer.unwrap().is_new()),
            }
        }
        assert_eq!(count(&pool, "pgq.ready").await, 19);
    })
    .await;
}

#[tokio::test]
async fn a_caller_that_goes_takes_nobody_along() {
    with_database(async |db| {
        let pool = db.pool();
        let enqueuer = Enqueuer::new(&pool);
        let (locker, [first, second], callers) = jam(&pool, &enqueuer).await;
        first.abort();
        callers[0].abort();
        locker.rollback().await.unwrap();
        second.await.unwrap().unwrap();
        for caller in callers.into_iter().skip(1) {
            caller.await.unwrap().unwrap();
        }
        // The first was already written, and the third not yet.
        assert_eq!(count(&pool, "pgq.ready").await, 11);
    })
    .await;
}

#[tokio::test]
async fn a_lost_session_is_told_to_all_whose_jobs_it_was_writing_and_the_next_call_works() {
    with_database(async |db| {
        let pool = db.pool();
        let enqueuer = Enqueuer::new(&pool);
        let (locker, early, late) = jam(&pool, &enqueuer).await;
        let end = "select pg_terminate_backend(pid) from pg_stat_activity \
                   where datname = current_database() and wait_event_type = 'Lock'";
        pool.execute(end).await.unwrap();
        for caller in early {
            caller.await.unwrap().unwrap_err();
        }
        // One of the two took all of these, which now wait together.
        until_locked(&pool, 1).await;
        pool.execute(end).await.unwrap();
        for caller in late {
            let told = caller.await.unwrap().unwrap_err();
            assert!(told.to_string().contains("database"), "{told}");
        }
        locker.rollback().await.unwrap();
        assert!(enqueuer.enqueue(Step::succeed(12)).await.unwrap().is_new());
        assert_eq!(count(&pool, "pgq.ready").await, 1);
        pool.close().await;
        let told = join_all((0..5).map(|n| enqueuer.enqueue(Step::succeed(n)))).await;
        assert!(told.iter().all(Result::is_err), "{told:?}");
    })
    .await;
}

#[tokio::test]
async fn a_single_caller_waits_for_nobody() {
    with_database(async |db| {
        let enqueuer = Enqueuer::new(&db.pool());
        for n in 0..3 {
            let enqueued = enqueuer.enqueue(Step::succeed(n)).await.unwrap();
            assert!(enqueued.is_new());
        }
        assert_eq!(count(&db.pool(), "pgq.ready").await, 3);
    })
    .await;
}
