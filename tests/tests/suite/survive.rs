//! Nothing that happens to the database ends a runner.

use std::time::Duration;

use pgq_devdb::Server;
use pgq_postgres::admin::Changed;
use pgq_postgres::{Admin, Enqueue, Runner, migrate};
use pgq_tests::{Action, Probe, Ran, Running, Step, count, until_state, with_database};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Executor, query};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_crashes_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let server = tokio::task::block_in_place(|| Server::start_in(folder.path())).unwrap();
    let pool = PgPoolOptions::new().connect(&server.url()).await.unwrap();
    migrate(&pool).await.unwrap();
    Step::of(1, Action::Gate).enqueue(&pool).await.unwrap();
    let (probe, mut ran) = Probe::new();
    let runner = Runner::empty().register::<Step>().state(probe.clone()).pool(pool.clone()).without_signals();
    let handle = runner.handle();
    let running = tokio::spawn(runner.run());
    ran.recv().await.unwrap();
    Step::of(2, Action::Succeed).after(Duration::from_millis(1)).enqueue(&pool).await.unwrap();
    tokio::task::block_in_place(|| server.kill()).unwrap();
    // Ends while there is no database to tell.
    probe.open_gate(1);
    tokio::task::block_in_place(|| server.restart()).unwrap();
    // Everything acknowledged comes to its end, here or again, if the crash undid its claim.
    let mut left: i64 = 2;
    while left > 0 {
        probe.open_gate(1);
        tokio::time::sleep(Duration::from_millis(20)).await;
        if let Ok(count) = sqlx::query_scalar("select count(*) from pgq.jobs").fetch_one(&pool).await {
            left = count;
        }
    }
    assert!(handle.counts().database_errors > 0, "the runner noticed");
    handle.stop();
    running.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_backends_one_by_one() {
    with_database(async |db| {
        let pool = db.pool();
        let mut running = Running::start(db);
        running.until(|_| true).await;
        for (n, part) in ["claim", "settle", "heartbeat", "listen", "maintain"].into_iter().enumerate() {
            let n = i64::try_from(n).unwrap();
            Step::of(n, Action::Gate).enqueue(&pool).await.unwrap();
            assert_eq!(running.ran().await.n, n);
            query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pgq ' || $1 and datname = current_database()")
                .bind(part)
                .execute(&pool)
                .await
                .unwrap();
            running.probe.open_gate(1);
            running.until(|counts| counts.completed == u64::try_from(n).unwrap() + 1).await;
        }
        let (counts, _) = running.stop().await;
        assert_eq!((counts.completed, counts.lease_lost), (5, 0));
        assert_eq!(pgq_tests::states(&pool).await, []);
    })
    .await;
}

#[tokio::test]
async fn a_pool_whose_only_connection_is_taken_disturbs_nothing() {
    with_database(async |db| {
        let pool = PgPoolOptions::new().max_connections(1).connect(db.url()).await.unwrap();
        let mut held = pool.acquire().await.unwrap();
        Step::succeed(1).enqueue(&mut *held).await.unwrap();
        let mut running = Running::start_with(db, |runner| runner.pool(pool.clone()));
        running.ran().await;
        let (counts, _) = running.stop().await;
        assert_eq!((counts.completed, counts.database_errors), (1, 0));
    })
    .await;
}

#[tokio::test]
async fn an_outcome_that_the_database_refuses_does_not_hold_up_the_others() {
    with_database(async |db| {
        let pool = db.pool();
        pool.execute(
            "create function refuse() returns trigger language plpgsql as \
             $$ begin if new.error = 'unspeakable' then raise 'never'; end if; return new; end $$; \
             create trigger refuse before insert on pgq.failures for each row execute function refuse()",
        )
        .await
        .unwrap();
        let mut tx = pool.begin().await.unwrap();
        let mut ids = Vec::new();
        for (n, error) in [(1, "fine"), (2, "unspeakable"), (3, "fine too")] {
            let action = Action::InTurn(vec![Action::Fail(error.into()), Action::Succeed]);
            ids.push(Step::of(n, action).enqueue(&mut *tx).await.unwrap());
        }
        tx.commit().await.unwrap();
        let mut running = Running::start(db);
        running.ran_many(3).await;
        until_state(&pool, ids[0], "scheduled").await;
        until_state(&pool, ids[2], "scheduled").await;
        let recorded: Vec<String> = sqlx::query_scalar("select error from pgq.failures order by error")
            .fetch_all(&pool)
            .await
            .unwrap();
        assert_eq!(recorded, ["fine", "fine too"]);
        // It is given back, and refused again.
        assert_eq!(running.ran().await, Ran { n: 2, attempt: 1 });
        db.connect().await.unwrap().execute("drop trigger refuse on pgq.failures").await.unwrap();
        until_state(&pool, ids[1], "scheduled").await;
        for id in ids {
            assert_eq!(Admin::new(&pool).retry(id).await.unwrap(), Changed::Done);
        }
        running.until(|counts| counts.completed == 3).await;
        let (_, mut ran) = running.stop().await;
        ran.retain(|ran| ran.attempt > 1);
        assert_eq!(ran, [1, 2, 3].map(|n| Ran { n, attempt: 2 }), "no attempt was spent on what was refused");
        assert_eq!(pgq_tests::states(&pool).await, []);
        assert_eq!(count(&pool, "pgq.leases").await + count(&pool, "pgq.failures").await, 0);
    })
    .await;
}
