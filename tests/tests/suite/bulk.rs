//! Many jobs at once: all or none, in order.

use std::time::{Duration, SystemTime};

use pgq_postgres::{Context, Enqueue, Job, JobResult, Perform, Schema, enqueue_all};
use pgq_tests::{Action, Running, Step, count, states, until_asleep, with_database};
use sqlx::{query_as, query_scalar};

const HOUR: Duration = Duration::from_secs(3600);

/// A job of another type.
#[derive(Job)]
#[job(queue = "step", priority = 3, timeout = "1m")]
struct Other {
    text: String,
}

impl Perform for Other {
    async fn perform(&self, _: &Context) -> JobResult {
        Ok(())
    }
}

#[tokio::test]
async fn mixed_jobs_are_all_there_in_order_as_if_each_had_been_enqueued() {
    with_database(async |db| {
        let pool = db.pool();
        let long = "long ".repeat(1000);
        let past = SystemTime::UNIX_EPOCH + HOUR;
        let mixed = || {
            vec![
                Step::succeed(1).prepare().unwrap(),
                Other { text: "short".into() }.timeout(HOUR).prepare().unwrap(),
                Other { text: long.clone() }.prepare().unwrap(),
                Step::succeed(2).after(HOUR).priority(-4).prepare().unwrap(),
                Other { text: long.clone() }.after(HOUR).queue("other").prepare().unwrap(),
                Step::succeed(3).at(past).retry_waits([HOUR]).prepare().unwrap(),
            ]
        };
        let mut ids = Vec::new();
        for job in mixed() {
            ids.push(job.enqueue(&pool).await.unwrap().id());
        }
        let bulk = enqueue_all(&pool, mixed()).await.unwrap();
        ids.extend(bulk.iter().map(|enqueued| enqueued.id()));
        assert!(ids.is_sorted(), "{ids:?}");
        type Row = (String, String, String, i16, i16, i32, i16, Option<String>, Vec<u8>, i32);
        let rows = "select state, queue, kind, priority, version, shape, j.max_attempts, options::text, \
                    coalesce(payload, body), coalesce(round(extract(epoch from run_at - enqueued_at) / 3600), 0)::int \
                    from pgq.jobs j left join pgq.payloads p on p.job_id = j.id where id = $1";
        for (single, bulk) in ids.iter().zip(&ids[6..]) {
            let [single, bulk] = [single, bulk].map(|id| query_as::<_, Row>(rows).bind(id.0).fetch_one(&pool));
            assert_eq!(single.await.unwrap(), bulk.await.unwrap());
        }
        assert_eq!(count(&pool, "pgq.payloads").await, 4);
        assert_eq!(states(&pool).await, [("ready".to_owned(), 8), ("scheduled".to_owned(), 4)]);
    })
    .await;
}

#[tokio::test]
async fn a_bulk_is_part_of_its_transaction_and_ends_with_the_first_job_that_cannot_be() {
    with_database(async |db| {
        let pool = db.pool();
        let mut tx = pool.begin().await.unwrap();
        let made = enqueue_all(&mut *tx, (0..3).map(Step::succeed)).await.unwrap();
        assert_eq!(made.len(), 3);
        assert_eq!(states(&pool).await, []);
        tx.rollback().await.unwrap();
        assert_eq!(states(&pool).await, []);
        // More than a chunk, so that some were sent when it fails.
        let jobs = (0..12_000).map(|n| match n {
            11_000 => Step::succeed(n).queue("it's"),
            _ => Step::succeed(n).to_enqueue(),
        });
        let error = enqueue_all(&pool, jobs).await.unwrap_err().to_string();
        assert!(error.contains("\"it's\" is not a valid queue name"), "{error}");
        assert_eq!(states(&pool).await, []);
        let elsewhere = Step::succeed(1).schema(&Schema::new("elsewhere").unwrap());
        let error =
            enqueue_all(&pool, [Step::succeed(1).to_enqueue(), elsewhere]).await.unwrap_err().to_string();
        assert!(error.contains("for the schemas \"pgq\" and \"elsewhere\": call it for each"), "{error}");
        assert_eq!(enqueue_all(&pool, Vec::<Step>::new()).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_bulk_wakes_a_sleeping_runner_and_all_of_it_runs() {
    with_database(async |db| {
        let pool = db.pool();
        let running = Running::start_with(db, |runner| runner.poll_interval(HOUR));
        until_asleep(&pool, 1).await;
        let jobs = (0..20_000).map(|n| Step::of(n, Action::Succeed));
        let ids: Vec<_> = enqueue_all(&pool, jobs).await.unwrap().iter().map(|job| job.id()).collect();
        assert_eq!(ids.len(), 20_000);
        assert!(ids.is_sorted());
        running.until(|counts| counts.completed == 20_000).await;
        let (_, ran) = running.stop().await;
        assert!(ran.iter().map(|ran| ran.n).eq(0..20_000), "each once");
        let left: i64 = query_scalar("select count(*) from pgq.jobs").fetch_one(&pool).await.unwrap();
        assert_eq!(left, 0);
    })
    .await;
}

#[test]
fn a_bulk_can_be_part_of_a_task() {
    fn task(_: impl Send) {}
    // Only compiled: a future that cannot change threads could not be spawned.
    let _ = |pool: sqlx::PgPool| {
        task(async move {
            let mut tx = pool.begin().await.unwrap();
            enqueue_all(&mut *tx, (0..3).map(Step::succeed)).await.unwrap();
            enqueue_all(&pool, vec![Step::succeed(1)]).await.unwrap();
        });
    };
}
