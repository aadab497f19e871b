//! Every job is performed, by one runner, once.

use pgq_postgres::Enqueue;
use pgq_tests::{Action, Ran, Running, Step, count, lease_each, states, with_database};
use sqlx::{Executor, query, query_scalar};

#[tokio::test(flavor = "multi_thread")]
async fn two_runners_share_5000_jobs_and_perform_each_once() {
    with_database(async |db| {
        let (one, two) = (Running::start(db), Running::start(db));
        // More than one runner has slots for, so that both must take part.
        let mut tx = db.pool().begin().await.unwrap();
        for n in 0..40 {
            Step::of(n, Action::Gate).enqueue(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
        one.until(|counts| counts.claimed == 20 && two.handle.counts().claimed == 20).await;
        let mut tx = db.pool().begin().await.unwrap();
        for n in 40..5000 {
            Step::succeed(n).enqueue(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
        one.probe.open_gate(20);
        two.probe.open_gate(20);
        one.until(|counts| counts.completed + two.handle.counts().completed >= 5000).await;
        let ((one, mut ran), (two, more)) = (one.stop().await, two.stop().await);
        ran.extend(more);
        ran.sort_unstable();
        assert_eq!(ran, (0..5000).map(|n| Ran { n, attempt: 1 }).collect::<Vec<_>>());
        assert_eq!(one.completed + two.completed, 5000);
        assert_eq!(states(&db.pool()).await, [], "completed jobs are deleted");
        assert_eq!(count(&db.pool(), "pgq.runners").await, 0, "stopped runners leave no row");
    })
    .await;
}

#[tokio::test]
async fn panics_and_errors_end_their_attempt_only() {
    with_database(async |db| {
        let pool = db.pool();
        Step::of(1, Action::Panic).enqueue(&pool).await.unwrap();
        Step::of(2, Action::Fail("no luck".into())).enqueue(&pool).await.unwrap();
        Step::succeed(3).enqueue(&pool).await.unwrap();
        let mut running = Running::start_with(db, |runner| runner.slots(3));
        running.ran_many(3).await;
        let (counts, _) = running.stop().await;
        assert_eq!((counts.completed, counts.retried), (1, 2));
        let errors: Vec<String> =
            query_scalar("select error from pgq.failures order by job_id").fetch_all(&pool).await.unwrap();
        assert_eq!(errors, ["the handler panicked: step 1 panics", "no luck"]);
        assert_eq!(states(&pool).await, [("scheduled".to_owned(), 2)]);
    })
    .await;
}

#[tokio::test]
async fn completed_jobs_are_kept_on_request_and_their_bodies_with_them() {
    with_database(async |db| {
        let pool = db.pool();
        Step::succeed(1).enqueue(&pool).await.unwrap();
        let large = "x".repeat(900_000);
        Step::of(2, Action::Fail(large.clone())).retry_waits([]).enqueue(&pool).await.unwrap();
        let mut running =
            Running::start_with(db, |runner| runner.keep_completed(std::time::Duration::from_secs(60)));
        running.ran_many(2).await;
        running.stop().await;
        let kept: Vec<(String, i16)> = sqlx::query_as("select state, attempts from pgq.finished order by id")
            .fetch_all(&pool)
            .await
            .unwrap();
        assert_eq!(kept, [("completed".to_owned(), 1), ("discarded".to_owned(), 1)]);
        let body: i32 =
            query_scalar("select octet_length(body) from pgq.payloads").fetch_one(&pool).await.unwrap();
        assert!(body > 900_000, "the body of the discarded job is still there");
        let error: String = query_scalar("select error from pgq.failures").fetch_one(&pool).await.unwrap();
        assert_eq!(error.len(), 16 << 10, "errors are cut");
    })
    .await;
}

#[tokio::test]
async fn large_payloads_arrive_whole_and_leave_nothing() {
    with_database(async |db| {
        let pool = db.pool();
        for bytes in [950, 1100, 100_000] {
            let action = Action::Fail("y".repeat(bytes));
            Step::of(1, action).retry_waits([std::time::Duration::ZERO]).enqueue(&pool).await.unwrap();
        }
        assert_eq!(count(&pool, "pgq.payloads").await, 2, "bodies over 1 KB have a row of their own");
        let mut running = Running::start(db);
        running.ran_many(6).await;
        let (counts, _) = running.stop().await;
        assert_eq!((counts.retried, counts.discarded), (3, 3));
        let lengths: Vec<i32> = query_scalar("select octet_length(error) from pgq.failures order by 1")
            .fetch_all(&pool)
            .await
            .unwrap();
        assert_eq!(lengths, [950, 950, 1100, 1100, 16384, 16384]);
    })
    .await;
}

#[tokio::test]
async fn a_completed_job_takes_its_body_and_history_with_it() {
    with_database(async |db| {
        let pool = db.pool();
        let waits = [std::time::Duration::ZERO];
        Step::of(1, Action::FailUntil(2)).retry_waits(waits).enqueue(&pool).await.unwrap();
        let mut running = Running::start(db);
        assert_eq!(running.ran_many(2).await, [Ran { n: 1, attempt: 1 }, Ran { n: 1, attempt: 2 }]);
        running.stop().await;
        for table in ["pgq.failures", "pgq.payloads", "pgq.jobs", "pgq.leases"] {
            let table: &'static str = table;
            assert_eq!(count(&pool, table).await, 0, "{table}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_outcome_changes_nothing_once_the_lease_is_lost() {
    with_database(async |db| {
        let pool = db.pool();
        Step::of(1, Action::Gate).enqueue(&pool).await.unwrap();
        let mut running = Running::start(db);
        running.ran().await;
        // What a rescuer does while this runner does not notice.
        pool.execute(
            "with l as (delete from pgq.leases returning *) insert into pgq.ready (id, shape, priority, \
                      version, attempts, max_attempts, queue, kind, payload) select ids[1], shape, priority, \
                      version, 1, max_attempts[1], 'elsewhere', kind, payloads[1] from l",
        )
        .await
        .unwrap();
        running.probe.open_gate(1);
        running.until(|counts| counts.lease_lost == 1).await;
        running.stop().await;
        let queue: String = query_scalar("select queue from pgq.ready").fetch_one(&pool).await.unwrap();
        assert_eq!(queue, "elsewhere", "the job belongs to whoever took it");
    })
    .await;
}

#[tokio::test]
async fn a_lease_that_its_owner_does_not_know_is_given_back() {
    with_database(async |db| {
        let pool = db.pool();
        Step::of(1, Action::Gate).enqueue(&pool).await.unwrap();
        let mut running = Running::start(db);
        running.ran().await;
        // As if the reply to a claim had been lost: the lease is there, its owner never heard of it.
        strange(&pool, 2).await;
        assert_eq!(running.ran().await, Ran { n: 2, attempt: 1 }, "with its attempt unspent");
        running.probe.open_gate(1);
        let (counts, _) = running.stop().await;
        assert_eq!((counts.completed, counts.released), (2, 1));
    })
    .await;
}

#[tokio::test]
async fn lower_priorities_run_first_and_equal_ones_in_order() {
    with_database(async |db| {
        let pool = db.pool();
        for (n, priority) in [(1, 5), (2, 0), (3, -7), (4, 0), (5, 5)] {
            Step::succeed(n).priority(priority).enqueue(&pool).await.unwrap();
        }
        let mut running = Running::start_with(db, |runner| runner.slots(1));
        let mut order = Vec::new();
        for _ in 0..5 {
            order.push(running.ran().await.n);
        }
        running.stop().await;
        assert_eq!(order, [3, 2, 4, 1, 5]);
    })
    .await;
}

#[tokio::test]
async fn one_job_with_unreadable_options_does_not_hold_up_the_others() {
    with_database(async |db| {
        let pool = db.pool();
        Step::succeed(1).enqueue(&pool).await.unwrap();
        Step::succeed(2).enqueue(&pool).await.unwrap();
        pool.execute("update pgq.ready set options = '{\"retry\": \"in another way\"}' where id = 1")
            .await
            .unwrap();
        let mut running = Running::start(db);
        assert_eq!(running.ran_many(2).await, [Ran { n: 1, attempt: 1 }, Ran { n: 2, attempt: 1 }]);
        let (counts, _) = running.stop().await;
        assert_eq!((counts.completed, counts.database_errors), (2, 0));
    })
    .await;
}

async fn strange(pool: &sqlx::PgPool, n: i64) {
    let mut tx = pool.begin().await.unwrap();
    Step::succeed(n).queue("aside").enqueue(&mut *tx).await.unwrap();
    query("update pgq.ready set queue = 'step' where queue = 'aside'").execute(&mut *tx).await.unwrap();
    let lease = lease_each("true", "(select id from pgq.runners)");
    query(sqlx::AssertSqlSafe(lease)).execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_without_a_free_slot_gives_back_what_it_does_not_know() {
    with_database(async |db| {
        let pool = db.pool();
        Step::of(1, Action::Gate).enqueue(&pool).await.unwrap();
        let mut full = Running::start_with(db, |runner| runner.slots(1));
        full.ran().await;
        // As if a crash of the server had undone the settling of an earlier job.
        strange(&pool, 2).await;
        let since = std::time::Instant::now();
        let mut other = Running::start(db);
        assert_eq!(other.ran().await, Ran { n: 2, attempt: 1 });
        assert!(since.elapsed() < std::time::Duration::from_secs(10), "{:?}", since.elapsed());
        full.probe.open_gate(1);
        full.stop().await;
        other.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_lost_are_counted_in_jobs() {
    with_database(async |db| {
        let pool = db.pool();
        let mut tx = pool.begin().await.unwrap();
        for n in 0..5 {
            Step::of(n, Action::Gate).enqueue(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
        let mut running = Running::start(db);
        running.ran_many(5).await;
        query("delete from pgq.leases").execute(&pool).await.unwrap();
        running.probe.open_gate(5);
        let (counts, _) = running.stop().await;
        assert_eq!(counts.lease_lost, 5, "{counts:?}");
    })
    .await;
}
