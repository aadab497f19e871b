//! What a user gets wrong is told in a sentence that says what to do; nothing is lost.

use std::time::{Duration, SystemTime};

use pgq_postgres::{
    Context, Enqueue, Error, Job, JobId, JobResult, MAX_PAYLOAD_BYTES, Perform, Runner, Shape,
};
use pgq_tests::{Action, Probe, Step, count, until_state, with_database, with_empty_database};
use sqlx::{Executor, PgPool};

use crate::worker::Worker;

/// Needs a state that the tests do not give.
#[derive(Job)]
#[job(state = Missing)]
struct Needy;

#[derive(Debug)]
struct Missing;

impl Perform for Needy {
    async fn perform(&self, _: &Context<Missing>) -> JobResult {
        Ok(())
    }
}

async fn start_error(runner: Runner) -> Error {
    tokio::time::timeout(Duration::from_secs(30), runner.without_signals().run()).await.unwrap().unwrap_err()
}

fn runner_on(pool: &PgPool) -> Runner {
    Runner::empty().register::<Step>().state(Probe::new().0).pool(pool.clone())
}

#[tokio::test]
async fn no_database_at_all() {
    let (code, _, errors) = Worker::start_without_database().ended().await;
    assert_eq!(code, Some(1));
    assert!(errors.contains("no database: set DATABASE_URL, for example postgres://"), "{errors}");
    let (code, _, errors) = Worker::start("mysql://x", &[], &[]).ended().await;
    assert_eq!(code, Some(1));
    assert!(errors.contains("DATABASE_URL is not a postgres:// address"), "{errors}");
}

#[tokio::test]
async fn a_database_that_is_down_at_start_is_tried_again_and_then_named() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://someone:secret@127.0.0.1:{port}/app");
    let (code, _, errors) = Worker::start(&url, &[], &[("PATIENCE_MS", "200")]).ended().await;
    assert_eq!(code, Some(1));
    let expected = format!("could not reach the database app on 127.0.0.1:{port} in ");
    assert!(errors.contains(&expected) && errors.contains("is it running?"), "{errors}");
    assert!(!errors.contains("secret"), "{errors}");
}

#[tokio::test]
async fn tables_that_are_missing_or_too_new() {
    with_empty_database(async |db| {
        let pool = db.pool();
        let error = start_error(runner_on(&pool)).await.to_string();
        assert!(
            error.contains("has migration 0, this program needs 1: call pgq_postgres::migrate(&pool)"),
            "{error}"
        );
        pgq_postgres::migrate(&pool).await.unwrap();
        pool.execute("insert into pgq.migrations (version, name, oldest_library) values (99, 'later', 1)")
            .await
            .unwrap();
        let running = pgq_tests::Running::start(db);
        running.stop().await; // newer, but this library may still work with it
        pool.execute("update pgq.migrations set oldest_library = 99 where version = 99").await.unwrap();
        let error = start_error(runner_on(&pool)).await.to_string();
        assert!(error.contains("needs a library that knows migration 99, this program's knows 1"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn registries_that_cannot_run() {
    with_database(async |db| {
        let pool = db.pool();
        let error = start_error(Runner::empty().pool(pool.clone())).await.to_string();
        assert!(error.contains("no job is linked into this program: derive Job on a type"), "{error}");
        let error = start_error(runner_on(&pool).register::<Needy>()).await.to_string();
        assert!(
            error.contains("Needy") && error.contains("Missing: give it to the runner with .state(..)"),
            "{error}"
        );
        let error = start_error(runner_on(&pool).register::<Step>()).await.to_string();
        assert!(error.contains("two job types have the kind \"step\": pgq_tests::jobs::Step"), "{error}");
        let error = start_error(runner_on(&pool).queues([""; 0])).await.to_string();
        assert!(error.contains("a runner needs at least one queue"), "{error}");
        let error = start_error(runner_on(&pool).queues(["it's"])).await.to_string();
        assert!(error.contains("\"it's\" is not a valid queue name: use 1 to 100 of"), "{error}");
        let error = start_error(runner_on(&pool).slots(0)).await.to_string();
        assert!(error.contains("slots is 0: use 1 to"), "{error}");
    })
    .await;
}

#[tokio::test]
async fn jobs_that_cannot_be_stored() {
    with_database(async |db| {
        let pool = db.pool();
        let large = Step::of(1, Action::Fail("z".repeat(MAX_PAYLOAD_BYTES)));
        let error = large.enqueue(&pool).await.unwrap_err().to_string();
        assert!(
            error.contains("over the limit of 1048576: store the data elsewhere and enqueue its key"),
            "{error}"
        );
        for name in ["it's", "\"q\"", "nul\0", &"q".repeat(200)] {
            let error = Step::succeed(1).queue(name).enqueue(&pool).await.unwrap_err();
            assert!(error.to_string().contains("is not a valid queue name"), "{error}");
        }
        let year_294276 = SystemTime::UNIX_EPOCH + Duration::from_secs(9_224_318_015_999);
        for job in [Step::succeed(1).at(year_294276), Step::succeed(1).after(Duration::MAX)] {
            let error = job.enqueue(&pool).await.unwrap_err().to_string();
            assert!(error.contains("the latest run_at is 9999-12-31T23:59:59Z"), "{error}");
        }
        let error = Step::succeed(1).to_enqueue().max_attempts(0).enqueue(&pool).await.unwrap_err();
        assert!(error.to_string().contains("max_attempts is 0: a job needs at least one attempt"), "{error}");
        assert_eq!(count(&pool, "pgq.jobs").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_payload_that_is_no_payload_is_parked_with_its_bytes_and_tried_by_the_next_runner() {
    with_database(async |db| {
        let pool = db.pool();
        let insert = "insert into pgq.ready (queue, kind, priority, version, shape, max_attempts, payload) \
                      values ('step', 'step', 0, 1, $1, 4, '\\x01ffffffff') returning id";
        let id: i64 = sqlx::query_scalar(insert).bind(Step::SHAPE).fetch_one(&pool).await.unwrap();
        let parked = "select j.state, j.attempts, j.payload, f.error \
                      from pgq.jobs j join pgq.failures f on f.job_id = j.id";
        // Twice: each runner tries it, and the record of it does not grow.
        for n in [1, 2] {
            Step::succeed(n).enqueue(&pool).await.unwrap();
            let mut running = pgq_tests::Running::start(db);
            assert_eq!(running.ran().await.n, n);
            running.until(|counts| counts.parked == 1).await;
            until_state(&pool, JobId(id), "parked").await;
            running.stop().await;
            let row: (String, i16, Vec<u8>, String) = sqlx::query_as(parked).fetch_one(&pool).await.unwrap();
            assert_eq!((&*row.0, row.1, row.2), ("parked", 0, vec![1, 255, 255, 255, 255]));
            assert!(row.3.starts_with("cannot decode the payload of this step job: "), "{}", row.3);
        }
        let repair = "update pgq.scheduled set payload = $1";
        sqlx::query(repair)
            .bind(pgq_postgres::encode(&Step::succeed(3)).unwrap())
            .execute(&pool)
            .await
            .unwrap();
        let mut running = pgq_tests::Running::start(db);
        assert_eq!(running.ran().await, pgq_tests::Ran { n: 3, attempt: 1 });
        running.stop().await;
        assert_eq!(count(&pool, "pgq.jobs").await + count(&pool, "pgq.failures").await, 0);
    })
    .await;
}
