//! What failed is on record with its causes, up to a limit; what has ended is kept for its time, and no longer.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use pgq_postgres::{Admin, Context, Enqueue, Job, JobId, JobResult, Perform};
use pgq_tests::{Action, Running, Step, count, job, until, until_state, with_database};
use sqlx::{Executor, PgPool, query, query_as, query_scalar};

use crate::worker::Worker;

const HOUR: Duration = Duration::from_secs(3600);

async fn attempts_on_record(pool: &PgPool, id: JobId) -> Vec<(i16, bool)> {
    query_as("select attempt, crash from pgq.failures where job_id = $1 order by attempt")
        .bind(id.0)
        .fetch_all(pool)
        .await
        .unwrap()
}

fn failed(attempts: impl IntoIterator<Item = i16>) -> Vec<(i16, bool)> {
    attempts.into_iter().map(|attempt| (attempt, false)).collect()
}

#[tokio::test]
async fn the_first_failure_and_the_last_ten_are_on_record() {
    with_database(async |db| {
        let pool = db.pool();
        let always = || Step::of(1, Action::Fail("again".into()));
        let ten = always().retry_waits(vec![Duration::ZERO; 10]).enqueue(&pool).await.unwrap().id();
        let fifteen = always().retry_waits(vec![Duration::ZERO; 14]).enqueue(&pool).await.unwrap().id();
        let running = Running::start(db);
        until_state(&pool, ten, "discarded").await;
        until_state(&pool, fifteen, "discarded").await;
        running.stop().await;
        assert_eq!(job(&pool, fifteen).await.unwrap(), ("discarded".into(), 15, Some("again".into())));
        assert_eq!(attempts_on_record(&pool, ten).await, failed(1..=11));
        assert_eq!(attempts_on_record(&pool, fifteen).await, failed([1].into_iter().chain(6..=15)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_is_on_record_among_the_last_ten() {
    with_database(async |db| {
        let pool = db.pool();
        // As after thirteen failures; it hangs at the fourteenth attempt and fails at the fifteenth.
        let id = Step::of(1, Action::Hang).to_enqueue().max_attempts(14).enqueue(&pool).await.unwrap().id();
        query("update pgq.ready set attempts = 13").execute(&pool).await.unwrap();
        query(
            "insert into pgq.failures (job_id, attempt, runner, error) \
             select $1, n, 'before', 'again' from generate_series(1, 13) n where n = 1 or n > 3",
        )
        .bind(id.0)
        .execute(&pool)
        .await
        .unwrap();
        let mut doomed = Worker::start(db.url(), &[], &[("HEARTBEAT_MS", "200")]);
        assert_eq!(doomed.ran().await.attempt, 14);
        doomed.signal("KILL");
        doomed.exited().await;
        let heir = Running::start_with(db, |runner| runner.heartbeat_interval(Duration::from_millis(200)));
        until_state(&pool, id, "discarded").await;
        heir.stop().await;
        let expected = failed([1].into_iter().chain(5..=13)).into_iter().chain([(14, true)]);
        assert_eq!(attempts_on_record(&pool, id).await, expected.collect::<Vec<_>>());
    })
    .await;
}

/// Fails with an error that has causes.
#[derive(Job)]
#[job(queue = "step", retry_waits = [])]
struct Unlucky {}

#[derive(Debug)]
struct Outer(Inner);

#[derive(Debug)]
struct Inner(std::num::ParseIntError);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no invoice was sent")
    }
}

impl fmt::Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the customer's number is unreadable")
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

impl Error for Inner {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

impl Perform for Unlucky {
    async fn perform(&self, _: &Context) -> JobResult {
        let number: Result<u32, _> = "x".parse();
        number.map_err(|error| Outer(Inner(error)))?;
        Ok(())
    }
}

#[tokio::test]
async fn an_error_is_on_record_with_its_causes_and_its_runner() {
    with_database(async |db| {
        let pool = db.pool();
        let id = Unlucky {}.enqueue(&pool).await.unwrap();
        let running = Running::start_with(db, |runner| runner.register::<Unlucky>());
        until_state(&pool, id, "discarded").await;
        let name: String = query_scalar("select name from pgq.runners").fetch_one(&pool).await.unwrap();
        running.stop().await;
        let chain = "no invoice was sent: the customer's number is unreadable: invalid digit found in string";
        let failure: (String, String) =
            query_as("select error, runner from pgq.failures").fetch_one(&pool).await.unwrap();
        assert_eq!(failure, (chain.to_owned(), name));
        assert_eq!(job(&pool, id).await.unwrap().2.as_deref(), Some(chain));
    })
    .await;
}

#[tokio::test]
async fn finished_jobs_are_kept_for_the_age_of_their_state_and_then_pruned_with_all_of_theirs() {
    with_database(async |db| {
        let pool = db.pool();
        // Bodies of their own, and a failure each.
        let large = || "x".repeat(5000);
        for n in 0..4 {
            Step::of(n, Action::Fail(large())).retry_waits([]).enqueue(&pool).await.unwrap();
            // Completes at its second attempt.
            let completes = Long { fails: true, text: large() }.retry_waits([Duration::ZERO]);
            completes.enqueue(&pool).await.unwrap();
            let id = Step::of(n, Action::Fail(large())).after(HOUR).enqueue(&pool).await.unwrap();
            Admin::new(&pool).cancel(id).await.unwrap();
        }
        let keep = |runner: pgq_postgres::Runner| {
            let runner = runner.register::<Long>().keep_completed(HOUR).keep_discarded(2 * HOUR);
            runner.keep_cancelled(3 * HOUR)
        };
        let running = Running::start_with(db, keep);
        running.until(|counts| counts.completed == 4 && counts.discarded == 4).await;
        running.stop().await;
        assert_eq!((count(&pool, "pgq.payloads").await, count(&pool, "pgq.failures").await), (12, 8));
        // Of each state: just young enough, just too old, far too old; and one as it is.
        pool.execute(
            "with aged as (select id, row_number() over (partition by state order by id) as nth, \
             case state when 'completed' then 1 when 'discarded' then 2 else 3 end * interval '1 hour' as age \
             from pgq.finished) \
             update pgq.finished f set finished_at = now() - case nth when 1 then age - interval '1 minute' \
             when 2 then age + interval '1 second' when 3 then age * 10 end from aged \
             where aged.id = f.id and nth <= 3",
        )
        .await
        .unwrap();
        let young = "select array_agg(id order by id) from (select id, row_number() over \
                     (partition by state order by id) as nth from pgq.finished) f where nth in (1, 4)";
        let young: Vec<i64> = query_scalar(young).fetch_one(&pool).await.unwrap();
        let running =
            Running::start_with(db, |runner| keep(runner).prune_interval(Duration::from_millis(20)));
        until(async || count(&pool, "pgq.finished").await <= 6).await;
        running.stop().await;
        let left: Vec<i64> =
            query_scalar("select id from pgq.finished order by id").fetch_all(&pool).await.unwrap();
        assert_eq!(left, young);
        let bodies: Vec<i64> =
            query_scalar("select job_id from pgq.payloads order by 1").fetch_all(&pool).await.unwrap();
        assert_eq!(bodies, young, "and the bodies of just these");
        let failures: Vec<i64> =
            query_scalar("select job_id from pgq.failures order by 1").fetch_all(&pool).await.unwrap();
        let failed = "select id from pgq.finished where state <> 'cancelled' order by 1";
        let failed: Vec<i64> = query_scalar(failed).fetch_all(&pool).await.unwrap();
        assert_eq!(failures, failed, "and the failures of just those that failed");
    })
    .await;
}

/// Has a body of its own, and fails the first time.
#[derive(Job)]
#[job(queue = "step")]
struct Long {
    fails: bool,
    text: String,
}

impl Perform for Long {
    async fn perform(&self, ctx: &Context) -> JobResult {
        if self.fails && ctx.attempt() == 1 { Err(self.text.as_str().into()) } else { Ok(()) }
    }
}

#[tokio::test]
async fn two_thousand_old_jobs_are_pruned_by_two_runners_at_once() {
    with_database(async |db| {
        let pool = db.pool();
        Step::of(1, Action::Discard).enqueue(&pool).await.unwrap();
        let mut first = Running::start(db);
        first.ran().await;
        first.stop().await;
        pool.execute(
            "insert into pgq.finished (id, enqueued_at, finished_at, shape, priority, version, attempts, \
             max_attempts, crashes, state, queue, kind) \
             select id + n, enqueued_at, now() - interval '8 days', shape, priority, version, attempts, max_attempts, \
             crashes, state, queue, kind from pgq.finished, generate_series(1, 2000) n",
        )
        .await
        .unwrap();
        let start =
            || Running::start_with(db, |runner| runner.prune_interval(Duration::from_millis(20)));
        let (one, two) = (start(), start());
        until(async || count(&pool, "pgq.finished").await <= 1).await;
        let ((one, _), (two, _)) = (one.stop().await, two.stop().await);
        assert_eq!((one.database_errors, two.database_errors), (0, 0));
    })
    .await;
}
