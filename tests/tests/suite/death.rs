//! Who is dead is told soon, and who lives is not taken for dead.

use std::time::{Duration, Instant};

use pgq_postgres::{Enqueue, Runner};
use pgq_tests::{
    Action, Proxy, Ran, Running, Step, count, lease_each, setting, states, until, until_asleep, with_database,
};
use sqlx::{Executor, PgPool};

use crate::worker::Worker;

#[tokio::test(flavor = "multi_thread")]
async fn the_jobs_of_a_killed_runner_start_elsewhere_within_10_seconds_by_default() {
    with_database(async |db| {
        let pool = db.pool();
        for n in 0..3 {
            let action = Action::InTurn(vec![Action::Hang, Action::Succeed]);
            Step::of(n, action).enqueue(&pool).await.unwrap();
        }
        let mut doomed = Worker::start(db.url(), &[], &[]);
        for _ in 0..3 {
            doomed.ran().await;
        }
        let mut heir = Running::start(db);
        until(async || count(&pool, "pgq.runners").await >= 2).await;
        let killed = Instant::now();
        doomed.signal("KILL");
        doomed.exited().await;
        let again: Vec<Ran> = (0..3).map(|n| Ran { n, attempt: 2 }).collect();
        let limit = Duration::from_secs(10);
        let ran = tokio::time::timeout(limit, heir.ran_many(3)).await;
        assert_eq!(ran.ok(), Some(again), "{:?} after the kill", killed.elapsed());
        let recovered = killed.elapsed();
        println!("recovered {:.1} s after the kill", recovered.as_secs_f64());
        assert!(recovered < limit, "{recovered:?}");
        let (counts, rest) = heir.stop().await;
        assert_eq!((counts.rescued, counts.completed, rest), (3, 3, vec![]));
        assert_eq!(states(&pool).await, []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_that_block_all_threads_do_not_make_a_runner_look_dead() {
    with_database(async |db| {
        let pool = db.pool();
        let heartbeat = Duration::from_millis(setting("PGQ_HEARTBEAT_MS", 200));
        // Longer than even a runner whose session is open may be silent.
        let blocked_for = heartbeat * u32::try_from(setting("PGQ_BLOCKED_BEATS", 20)).unwrap();
        let mut tx = pool.begin().await.unwrap();
        for n in 0..2 {
            Step::of(n, Action::Block(blocked_for)).enqueue(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
        let heartbeat_ms = heartbeat.as_millis().to_string();
        let settings = [("HEARTBEAT_MS", heartbeat_ms.as_str()), ("TOKIO_WORKER_THREADS", "2")];
        let mut blocked = Worker::start(db.url(), &[], &settings);
        for _ in 0..2 {
            assert_eq!(blocked.ran().await.attempt, 1);
        }
        let witness = Running::start_with(db, |runner| runner.heartbeat_interval(heartbeat));
        while count(&pool, "pgq.jobs").await > 0 {
            assert_eq!(witness.handle.counts().rescued, 0);
            tokio::time::sleep(heartbeat / 10).await;
        }
        blocked.signal("TERM");
        let (code, rest, _) = blocked.ended().await;
        assert_eq!((code, rest), (Some(0), vec!["stopped".into()]), "each ran once, and no outcome was lost");
        let (counts, ran) = witness.stop().await;
        assert_eq!((counts.rescued, ran), (0, vec![]));
        assert_eq!(count(&pool, "pgq.failures").await, 0);
    })
    .await;
}

/// Gives each ready job to a runner of its own that died long ago. Their ids are the hashes of 1, 2, and so on.
async fn lease_to_the_dead(pool: &PgPool) {
    let mut tx = pool.begin().await.unwrap();
    tx.execute(
        "insert into pgq.runners (id, name, heartbeat_at, heartbeat_every, library, slots, queues, kinds, versions) \
         select md5(n::text)::uuid, n::text, now() - interval '1 hour', interval '1 s', '', 1, '{}', '{}', '{}' \
         from generate_series(1, (select count(*) from pgq.ready)) n",
    )
    .await
    .unwrap();
    let lease = lease_each("true", "md5(row_number() over (order by id)::text)::uuid");
    sqlx::query(sqlx::AssertSqlSafe(lease)).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
}

/// A runner may die, or its network, between the two statements of `complete_in`: the server keeps its lease locked
/// until it notices, which can take hours.
#[tokio::test]
async fn a_lease_that_is_locked_holds_up_no_other_rescue() {
    with_database(async |db| {
        let pool = db.pool();
        for n in 0..2 {
            Step::succeed(n).enqueue(&pool).await.unwrap();
        }
        lease_to_the_dead(&pool).await;
        let mut stuck = pool.begin().await.unwrap();
        stuck.execute("select from pgq.leases where runner_id = md5('1')::uuid for update").await.unwrap();
        let beat = Duration::from_millis(200);
        let mut running = Running::start_with(db, |runner| runner.heartbeat_interval(beat));
        assert_eq!(running.ran().await, Ran { n: 1, attempt: 2 });
        stuck.rollback().await.unwrap();
        assert_eq!(running.ran().await, Ran { n: 0, attempt: 2 });
        let (counts, _) = running.stop().await;
        assert_eq!((counts.rescued, counts.completed), (2, 2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_runner_rescues_while_it_is_told_to_stop_is_counted() {
    with_database(async |db| {
        let pool = db.pool();
        let proxy = Proxy::start(db.url()).await;
        let beat = Duration::from_millis(500);
        let settings = |runner: Runner| runner.queues(["other"]).heartbeat_interval(beat).pool(proxy.pool());
        let running = Running::start_with(db, settings);
        until_asleep(&pool, 1).await;
        proxy.delay(beat / 5);
        Step::succeed(1).enqueue(&pool).await.unwrap();
        lease_to_the_dead(&pool).await;
        until(async || count(&pool, "pgq.ready").await > 0).await;
        // The runner does not know yet that its rescue is committed.
        let (counts, _) = running.stop().await;
        assert_eq!(counts.rescued, 1);
    })
    .await;
}
