//! Times and counters at the ends of their types are saturated, and hold up nothing else.

use std::time::Duration;

use pgq_postgres::{Enqueue, JobId, Shape, encode};
use pgq_tests::{Action, Ran, Running, Step, job, lease_each, until_state, with_database};
use sqlx::{Executor, PgPool, query_scalar};

/// Puts a step into ready as no enqueue would.
async fn ready(pool: &PgPool, step: &Step, attempts: i16, crashes: i16, time: &str) -> JobId {
    let insert = "insert into pgq.ready (queue, kind, priority, version, shape, attempts, max_attempts, crashes, payload, \
                                         enqueued_at, run_at) \
                  values ('step', 'step', 0, 1, $1, $2, 32767, $3, $4, $5::timestamptz, $5::timestamptz) returning id";
    let insert = query_scalar(insert).bind(Step::SHAPE).bind(attempts).bind(crashes);
    JobId(insert.bind(encode(step).unwrap()).bind(time).fetch_one(pool).await.unwrap())
}

const TIMES: [&str; 4] = ["infinity", "-infinity", "294276-12-31 23:59:59 UTC", "4713-01-01 00:00:00 UTC BC"];

#[tokio::test]
async fn jobs_with_times_at_their_limits_run_and_are_settled() {
    with_database(async |db| {
        let pool = db.pool();
        let mut jobs = Vec::new();
        for time in TIMES {
            jobs.push(ready(&pool, &Step::of(1, Action::Fail("no".into())), 32766, 0, time).await);
        }
        // Neither may spoil the look for what is due next.
        let later = "insert into pgq.scheduled (queue, kind, priority, version, shape, max_attempts, payload, run_at) \
                     select queue, kind, priority, version, shape, max_attempts, payload, t::timestamptz \
                     from pgq.ready r, unnest($1::text[]) t where r.id = $2";
        sqlx::query(later).bind(["-infinity", TIMES[2]]).bind(jobs[0].0).execute(&pool).await.unwrap();
        let mut running = Running::start(db);
        let runs = [(1, 1), (1, 32767), (1, 32767), (1, 32767), (1, 32767)];
        assert_eq!(running.ran_many(5).await, runs.map(|(n, attempt)| Ran { n, attempt }));
        for id in jobs {
            until_state(&pool, id, "discarded").await;
            assert_eq!(job(&pool, id).await.unwrap().1, 32767);
        }
        let soon = Step::succeed(2).after(Duration::from_millis(20)).enqueue(&pool).await.unwrap();
        assert_eq!(running.ran().await.n, 2, "{soon:?}");
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn waits_without_end_are_cut() {
    with_database(async |db| {
        let pool = db.pool();
        let fails = Step::of(1, Action::Fail("no".into())).retry_waits([Duration::MAX]);
        let fails = fails.enqueue(&pool).await.unwrap();
        let snoozes = Step::of(2, Action::Snooze(Duration::MAX)).enqueue(&pool).await.unwrap();
        let running = Running::start(db);
        for id in [fails, snoozes] {
            until_state(&pool, id, "scheduled").await;
        }
        let (counts, _) = running.stop().await;
        assert_eq!((counts.retried, counts.snoozed), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn jobs_whose_counters_are_at_their_limits_are_settled() {
    with_database(async |db| {
        let pool = db.pool();
        let fails = ready(&pool, &Step::of(1, Action::Fail("no".into())), i16::MAX, 0, "now").await;
        let crashed = ready(&pool, &Step::of(2, Action::Fail("no".into())), 0, i16::MAX, "now").await;
        let running = Running::start(db);
        until_state(&pool, fails, "discarded").await;
        assert_eq!(job(&pool, fails).await.unwrap().1, i16::MAX);
        until_state(&pool, crashed, "scheduled").await;
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn jobs_at_their_limits_hold_up_no_rescue() {
    with_database(async |db| {
        let pool = db.pool();
        let step = Step::succeed(1);
        let attempts = ready(&pool, &step, i16::MAX, 0, TIMES[0]).await;
        let crashes = ready(&pool, &step, 0, i16::MAX, TIMES[2]).await;
        let innocent = ready(&pool, &step, 0, 0, "now").await;
        // All in one lease of a runner that died long ago.
        pool.execute(
            "insert into pgq.runners (id, name, heartbeat_at, heartbeat_every, library, slots, queues, kinds, versions) \
             values (md5('1')::uuid, 'dead', '-infinity', '1 s', '', 1, '{}', '{}', '{}')",
        )
        .await
        .unwrap();
        let lease = sqlx::AssertSqlSafe(lease_each("true", "md5('1')::uuid"));
        sqlx::query(lease).execute(&pool).await.unwrap();
        let beat = Duration::from_millis(200);
        let mut running = Running::start_with(db, |runner| runner.heartbeat_interval(beat));
        assert_eq!(running.ran().await, Ran { n: 1, attempt: 2 });
        let (counts, rest) = running.stop().await;
        assert_eq!((counts.rescued, counts.completed, rest), (3, 1, vec![]));
        let ended = |attempts, reason: &str| Some(("discarded".to_owned(), attempts, Some(reason.to_owned())));
        let last = ended(i16::MAX, "its runner died during its last attempt");
        assert_eq!(job(&pool, attempts).await, last);
        assert_eq!(job(&pool, crashes).await, ended(1, "its runner died 32767 times while it ran"));
        assert_eq!(job(&pool, innocent).await, None);
    })
    .await;
}
