//! Operators change one job or all that match. Whatever they do, each job stays in one place, and is on record.

use std::time::{Duration, SystemTime};

use pgq_postgres::admin::{Admin, Bulk, Cancelled, Changed, Filter, State, When};
use pgq_postgres::{Context, Enqueue, Enqueued, Error, Job, JobId, JobResult, Perform};
use pgq_tests::{Action, Ran, Running, Step, count, job, states, until_asleep, until_state, with_database};
use sqlx::{Executor, PgPool, query_as, query_scalar};

const HOUR: Duration = Duration::from_secs(3600);

/// Longer than a test may take: what happens before was not a poll's doing.
const NEVER: Duration = Duration::from_secs(600);

/// One at a time for each user; always fails.
#[derive(Job, Clone)]
#[job(queue = "step", unique(user), retry_waits = [])]
struct Sync {
    user: i64,
}

impl Perform for Sync {
    async fn perform(&self, _: &Context) -> JobResult {
        Err("no".into())
    }
}

async fn actions(pool: &PgPool) -> Vec<(String, i32)> {
    query_as("select action, cardinality(jobs) from pgq.audit order by id").fetch_all(pool).await.unwrap()
}

fn changed(changed: u64) -> (u64, u64, u64) {
    (changed, changed, 0)
}

fn numbers(bulk: Bulk) -> (u64, u64, u64) {
    (bulk.matched, bulk.changed, bulk.keys_taken)
}

#[tokio::test]
async fn a_retried_job_runs_again_wherever_it_was() {
    with_database(async |db| {
        let (pool, admin) = (db.pool(), Admin::new(&db.pool()));
        let mut running = Running::start_with(db, |runner| runner.poll_interval(NEVER));
        let discarded = Step::of(1, Action::InTurn(vec![Action::Discard, Action::Succeed]));
        let discarded = discarded.enqueue(&pool).await.unwrap().id();
        let retries = Step::of(2, Action::FailUntil(2)).enqueue(&pool).await.unwrap().id();
        until_state(&pool, discarded, "discarded").await;
        until_state(&pool, retries, "scheduled").await;
        let cancelled = Step::succeed(3).after(HOUR).enqueue(&pool).await.unwrap().id();
        assert_eq!(admin.cancel(cancelled).await.unwrap(), Cancelled::Waiting);
        running.ran_many(2).await;
        for (id, n, attempt) in [(discarded, 1, 2), (retries, 2, 2), (cancelled, 3, 1)] {
            until_asleep(&pool, 1).await;
            assert_eq!(admin.retry(id).await.unwrap(), Changed::Done);
            assert_eq!(running.ran().await, Ran { n, attempt }, "and woke the runner");
        }
        running.until(|counts| counts.completed == 3).await;
        assert_eq!(admin.retry(JobId(987_654)).await.unwrap(), Changed::Gone);
        running.stop().await;
        assert_eq!(states(&pool).await, []);
        assert_eq!(count(&pool, "pgq.failures").await, 0, "their history went with them");
        let audit = actions(&pool).await;
        assert_eq!(
            audit.iter().map(|(action, jobs)| (&**action, *jobs)).collect::<Vec<_>>(),
            [("cancel", 1), ("retry", 1), ("retry", 1), ("retry", 1)]
        );
    })
    .await;
}

#[tokio::test]
async fn a_job_that_has_spent_its_attempts_gets_one_more() {
    with_database(async |db| {
        let (pool, admin) = (db.pool(), Admin::new(&db.pool()));
        let id = Step::of(1, Action::Fail("again".into()))
            .to_enqueue()
            .max_attempts(1)
            .enqueue(&pool)
            .await
            .unwrap();
        let running = Running::start(db);
        for attempts in 1..4_i16 {
            until_state(&pool, id, "discarded").await;
            assert_eq!(job(&pool, id).await.unwrap().1, attempts);
            admin.retry(id).await.unwrap();
        }
        until_state(&pool, id, "discarded").await;
        running.stop().await;
        // At the limit of the column nothing is left to add.
        pool.execute("update pgq.finished set attempts = 32767, max_attempts = 32767").await.unwrap();
        assert_eq!(admin.retry(id).await.unwrap(), Changed::KeyTaken);
    })
    .await;
}

#[tokio::test]
async fn a_unique_job_runs_again_only_while_its_key_is_free() {
    with_database(async |db| {
        let (pool, admin) = (db.pool(), Admin::new(&db.pool()));
        let running = Running::start_with(db, |runner| runner.register::<Sync>());
        let first = Sync { user: 1 }.enqueue(&pool).await.unwrap().id();
        until_state(&pool, first, "discarded").await;
        let second = Sync { user: 1 }.enqueue(&pool).await.unwrap();
        assert!(matches!(second, Enqueued::New(_)), "the key was free");
        until_state(&pool, second, "discarded").await;
        running.stop().await;
        let bulk = admin.retry_all(&Filter::new()).await.unwrap();
        assert_eq!(numbers(bulk), (2, 1, 1), "one of them");
        assert_eq!(count(&pool, "pgq.unique_keys").await, 1);
        let again: i64 = query_scalar("select id from pgq.ready").fetch_one(&pool).await.unwrap();
        let other = if again == first.0 { second.id() } else { first };
        assert_eq!(admin.retry(other).await.unwrap(), Changed::KeyTaken);
        assert_eq!(Sync { user: 1 }.enqueue(&pool).await.unwrap(), Enqueued::Existing(JobId(again)));
        admin.cancel(JobId(again)).await.unwrap();
        assert_eq!(admin.retry(other).await.unwrap(), Changed::Done, "its key is free again");
        assert_eq!(states(&pool).await, [("cancelled".to_owned(), 1), ("ready".to_owned(), 1)]);
    })
    .await;
}

#[tokio::test]
async fn a_running_job_is_left_alone_but_for_a_cancel() {
    with_database(async |db| {
        let (pool, admin) = (db.pool(), Admin::new(&db.pool()));
        let mut running = Running::start(db);
        let id = Step::of(1, Action::FailOnceCancelled).enqueue(&pool).await.unwrap().id();
        running.ran().await;
        assert_eq!(admin.retry(id).await.unwrap(), Changed::Running);
        assert_eq!(admin.discard(id).await.unwrap(), Changed::Running);
        assert_eq!(admin.reprioritise(id, 3).await.unwrap(), Changed::Running);
        assert_eq!(admin.reschedule(id, When::After(HOUR)).await.unwrap(), Changed::Running);
        assert_eq!(actions(&pool).await, []);
        let all = Filter::new().state(State::Running);
        assert_eq!(numbers(admin.discard_all(&all).await.unwrap()), (1, 0, 0));
        assert_eq!(numbers(admin.cancel_all(&all).await.unwrap()), changed(1));
        until_state(&pool, id, "cancelled").await;
        assert_eq!(admin.discard(id).await.unwrap(), Changed::Finished(State::Cancelled));
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn waiting_jobs_change_their_priority_and_time() {
    with_database(async |db| {
        let (pool, admin) = (db.pool(), Admin::new(&db.pool()));
        let mut ids = Vec::new();
        for n in 1..=4 {
            ids.push(Step::succeed(n).enqueue(&pool).await.unwrap().id());
        }
        ids.push(Step::succeed(5).after(HOUR).enqueue(&pool).await.unwrap().id());
        assert_eq!(admin.reprioritise(ids[2], -5).await.unwrap(), Changed::Done);
        assert_eq!(admin.reprioritise(ids[4], -9).await.unwrap(), Changed::Done);
        assert_eq!(admin.reschedule(ids[0], When::After(HOUR)).await.unwrap(), Changed::Done);
        assert_eq!(admin.reschedule(ids[4], When::Now).await.unwrap(), Changed::Done);
        assert_eq!(admin.reschedule(ids[3], When::At(SystemTime::UNIX_EPOCH)).await.unwrap(), Changed::Done);
        let far = SystemTime::UNIX_EPOCH + Duration::from_secs(260_000_000_000);
        assert!(matches!(admin.reschedule(ids[0], When::At(far)).await, Err(Error::RunAtTooLate)));
        let mut running = Running::start_with(db, |runner| runner.slots(1));
        let mut ran = Vec::new();
        for _ in 0..4 {
            ran.push(running.ran().await.n);
        }
        assert_eq!(ran, [5, 3, 2, 4]);
        running.stop().await;
        assert_eq!(states(&pool).await, [("scheduled".to_owned(), 1)]);
    })
    .await;
}

#[tokio::test]
async fn bulk_changes_go_through_thousands_in_batches() {
    with_database(async |db| {
        let (pool, admin) = (db.pool(), Admin::new(&db.pool()).actor("bob"));
        pool.execute(
            "insert into pgq.finished (id, enqueued_at, shape, priority, version, attempts, max_attempts, crashes, state, \
             queue, kind, reason) select nextval('pgq.job_ids'), now(), 0, 0, 1, 4, 4, n % 5, 'discarded', 'q' || n % 2, 'k', \
             'broken ' || n from generate_series(1, 2500) n",
        )
        .await
        .unwrap();
        assert_eq!(numbers(admin.retry_all(&Filter::new().queue("q1")).await.unwrap()), changed(1250));
        assert_eq!(actions(&pool).await, [("retry".to_owned(), 1000), ("retry".to_owned(), 250)]);
        let crashes: i16 = query_scalar("select max(crashes) from pgq.ready").fetch_one(&pool).await.unwrap();
        assert_eq!(crashes, 2, "one more, and it is discarded");
        assert_eq!(numbers(admin.reprioritise_all(&Filter::new(), 7).await.unwrap()), changed(1250));
        assert_eq!(count(&pool, "pgq.ready where priority = 7").await, 1250);
        assert_eq!(numbers(admin.reschedule_all(&Filter::new(), When::After(HOUR)).await.unwrap()), changed(1250));
        assert_eq!(numbers(admin.discard_all(&Filter::new()).await.unwrap()), changed(1250));
        assert_eq!(numbers(admin.retry_all(&Filter::new()).await.unwrap()), changed(2500));
        assert_eq!(numbers(admin.cancel_all(&Filter::new()).await.unwrap()), changed(2500));
        assert_eq!(states(&pool).await, [("cancelled".to_owned(), 2500)]);
        let bob: i64 = query_scalar("select count(*) from pgq.audit where actor = 'bob' and detail ? 'filter'")
            .fetch_one(&pool)
            .await
            .unwrap();
        assert_eq!(bob, count(&pool, "pgq.audit").await, "every batch is on record");
    })
    .await;
}

#[tokio::test]
async fn pruning_by_hand_leaves_a_row_for_each_batch_that_deleted_something() {
    with_database(async |db| {
        let pool = db.pool();
        let admin = Admin::new(&pool).actor("carol");
        let job = Step::succeed(1).enqueue(&pool).await.unwrap().id();
        admin.cancel(job).await.unwrap();
        let fill = "insert into pgq.finished (id, enqueued_at, finished_at, shape, priority, version, attempts, max_attempts, \
                                              crashes, state, queue, kind) \
                    select nextval('pgq.job_ids'), now(), now() - interval '1 day', 0, 0, 1, 1, 1, 0, 'cancelled', 'q', 'k' \
                    from generate_series(1, 1250)";
        pool.execute(fill).await.unwrap();
        assert_eq!(admin.prune(State::Completed, Duration::ZERO).await.unwrap(), 0);
        assert_eq!(admin.prune(State::Cancelled, HOUR).await.unwrap(), 1250);
        assert!(admin.prune(State::Ready, HOUR).await.unwrap_err().to_string().contains("not pruned"));
        assert_eq!(states(&pool).await, [("cancelled".to_owned(), 1)]);
        assert_eq!(actions(&pool).await[1..], [("prune".to_owned(), 1000), ("prune".to_owned(), 250)]);
        let last = admin.audit(1).await.unwrap().remove(0);
        assert_eq!(last.actor.as_deref(), Some("carol"));
        assert_eq!(
            last.detail,
            Some(serde_json::json!({"state": "cancelled", "age": "01:00:00", "jobs": 250}))
        );
        pool.execute("insert into pgq.audit (action) select 'pause' from generate_series(1, 1997)").await.unwrap();
        assert_eq!(admin.prune_audit(HOUR).await.unwrap(), 0);
        assert_eq!(admin.prune_audit(Duration::ZERO).await.unwrap(), 2000, "but not what it notes itself");
        let changes = admin.audit(10).await.unwrap();
        let noted: Vec<_> = changes.iter().map(|change| (&*change.action, change.actor.as_deref())).collect();
        assert_eq!(noted, [("prune_audit", Some("carol")); 2]);
        assert_eq!(changes[0].detail, Some(serde_json::json!({"age": "00:00:00", "changes": 1000})));
    })
    .await;
}
