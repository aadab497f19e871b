//! What applications test their own jobs with.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use pgq_postgres::testing::{Drained, context, enqueued, travel};
use pgq_postgres::{
    Context, DatabaseContext, Enqueue, Job, JobResult, OnConflict, Outcome, Perform, Runner, Unique,
    assert_enqueued, assert_not_enqueued,
};
use pgq_tests::{Action, Effect, Probe, Step, count, states, with_database};
use sqlx::PgPool;

const HOUR: Duration = Duration::from_secs(3600);

/// Counts down by enqueueing its successor.
#[derive(Job)]
struct Countdown {
    from: u32,
}

impl Perform for Countdown {
    async fn perform(&self, ctx: &Context) -> JobResult {
        if self.from > 0 {
            Countdown { from: self.from - 1 }.enqueue(ctx.pool()?).await?;
        }
        Ok(())
    }
}

fn runner(pool: &PgPool) -> Runner {
    let runner = Runner::empty().register::<Step>().register::<Effect>().register::<Countdown>();
    runner.state(Probe::new().0).pool(pool.clone())
}

fn outcomes(drained: &[Drained]) -> Vec<(&str, i16, &Outcome)> {
    drained.iter().map(|done| (done.kind, done.attempt, &done.outcome)).collect()
}

#[tokio::test]
async fn drain_runs_all_that_is_due_and_says_what_became_of_it() {
    with_database(async |db| {
        let pool = db.pool();
        sqlx::query("create table effects (n bigint, attempt smallint)").execute(&pool).await.unwrap();
        let no = || "no".to_owned();
        Step::of(1, Action::Fail(no())).retry_waits([Duration::ZERO, HOUR]).enqueue(&pool).await.unwrap();
        Step::of(2, Action::Panic).retry_waits([]).priority(1).enqueue(&pool).await.unwrap();
        Step::succeed(3).after(HOUR).enqueue(&pool).await.unwrap();
        let large = Step::of(4, Action::InTurn(vec![Action::Succeed; 2000]));
        large.priority(2).enqueue(&pool).await.unwrap();
        let drained = runner(&pool).drain().await.unwrap();
        let retry = |after| Outcome::Retry { after, error: no(), slow_queue: false };
        let panicked = "the handler panicked: step 2 panics".to_owned();
        let expected = [
            ("step", 1, &retry(Duration::ZERO)),
            ("step", 2, &retry(HOUR)),
            ("step", 1, &Outcome::Discard { error: panicked, slow_queue: false }),
            ("step", 1, &Outcome::Complete),
        ];
        assert_eq!(outcomes(&drained), expected);
        assert_eq!(states(&pool).await, [("discarded".to_owned(), 1), ("scheduled".to_owned(), 2)]);
        assert_eq!(count(&pool, "pgq.runners").await + count(&pool, "pgq.payloads").await, 0);
        assert_eq!(runner(&pool).drain().await.unwrap(), []);

        assert_eq!(travel(&pool, HOUR).await.unwrap(), 2);
        let drained = runner(&pool).drain().await.unwrap();
        assert_eq!(drained.len(), 2);
        Countdown { from: 3 }.enqueue(&pool).await.unwrap();
        Effect { n: 1 }.enqueue(&pool).await.unwrap();
        let drained = runner(&pool).drain().await.unwrap();
        assert_eq!(drained.iter().filter(|done| done.kind == "countdown").count(), 4);
        assert!(drained.iter().all(|done| done.outcome == Outcome::Complete));
        assert_eq!(count(&pool, "effects").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_drain_without_end_says_so() {
    with_database(async |db| {
        let pool = db.pool();
        Step::of(1, Action::Snooze(Duration::ZERO)).enqueue(&pool).await.unwrap();
        let error = runner(&pool).drain().await.unwrap_err().to_string();
        assert!(error.contains("10000 attempts were made, and jobs are still due"), "{error}");
        assert_eq!(count(&pool, "pgq.runners").await, 0);
    })
    .await;
}

#[tokio::test]
async fn travel_moves_everything_that_waits_for_a_time() {
    with_database(async |db| {
        let pool = db.pool();
        let unique = Unique::while_unfinished().period(HOUR).on_conflict(OnConflict::Error);
        let job = || Step::of(1, Action::SlowQueue).to_enqueue().unique_by(unique, "key").unwrap();
        job().enqueue(&pool).await.unwrap();
        runner(&pool).drain().await.unwrap();
        assert!(job().enqueue(&pool).await.is_err());
        let slow = "update pgq.queues set slow_until = now() + interval '30 minutes'";
        sqlx::query(slow).execute(&pool).await.unwrap();
        Step::succeed(2).enqueue(&pool).await.unwrap();
        assert_eq!(runner(&pool).drain().await.unwrap(), [], "the queue is slow");
        travel(&pool, HOUR).await.unwrap();
        assert!(job().enqueue(&pool).await.unwrap().is_new());
        assert_eq!(runner(&pool).drain().await.unwrap().len(), 1, "and it is slow again");
    })
    .await;
}

/// The message of a future that panics.
async fn panic_of(future: impl Future) -> String {
    let caught = futures_util::FutureExt::catch_unwind(AssertUnwindSafe(future)).await;
    *caught.err().expect("it should have failed").downcast::<String>().unwrap()
}

#[tokio::test]
async fn what_is_enqueued_is_found_by_its_fields_its_queue_and_its_time() {
    with_database(async |db| {
        let pool = db.pool();
        assert_not_enqueued!(&pool, Step where |_| true);
        Step::succeed(1).enqueue(&pool).await.unwrap();
        Step::succeed(2).after(HOUR).queue("other").priority(-3).enqueue(&pool).await.unwrap();
        let found = assert_enqueued!(&pool, Step::succeed(1), queue = "step");
        assert!(found.run_at.is_none());
        assert_enqueued!(&pool, Step::succeed(2), after = HOUR, queue = "other", priority = -3);
        let at = found.enqueued_at + HOUR;
        assert_enqueued!(&pool, Step where |step| step.n == 2, at = at);
        let mut tx = pool.begin().await.unwrap();
        Step::of(3, Action::Hang).enqueue(&mut *tx).await.unwrap();
        assert_enqueued!(&mut *tx, Step where |step| matches!(step.action, Action::Hang));
        tx.rollback().await.unwrap();
        assert_not_enqueued!(&pool, Step::of(3, Action::Hang));
        assert_not_enqueued!(&pool, Step::succeed(2), after = 2 * HOUR);
        assert_not_enqueued!(&pool, Step::succeed(1), queue = "other");
        assert_eq!(enqueued::<Step>(&pool).await.unwrap().len(), 2);

        let message = panic_of(async { assert_enqueued!(&pool, Step::succeed(9)) }).await;
        assert!(message.starts_with("at tests/tests/suite/testing.rs:"), "{message}");
        assert!(message.contains("no such step job waits; those of its kind are:\n  job "), "{message}");
        assert!(
            message.contains("in queue other, priority -3, after 3600s: {\"action\":\"Succeed\",\"n\":2}"),
            "{message}"
        );
        let message = panic_of(async { assert_not_enqueued!(&pool, Step::succeed(1)) }).await;
        assert!(message.contains("such a step job waits; those of its kind are:"), "{message}");
        let message = panic_of(async { assert_enqueued!(&pool, Countdown { from: 1 }) }).await;
        assert!(message.ends_with("no such countdown job waits; none of its kind does"), "{message}");
    })
    .await;
}

#[tokio::test]
async fn a_handler_runs_with_a_context_that_a_test_made() {
    with_database(async |db| {
        let pool = db.pool();
        sqlx::query("create table effects (n bigint, attempt smallint)").execute(&pool).await.unwrap();
        let (probe, mut ran) = Probe::new();
        let context =
            context(probe).id(pgq_postgres::JobId(9)).attempt(2).max_attempts(3).queue("q").pool(&pool);
        let context = context.cancelled().build();
        assert_eq!(
            (context.id().0, context.attempt(), context.max_attempts(), context.queue()),
            (9, 2, 3, "q")
        );
        Step::of(1, Action::UntilCancelled).perform(&context).await.unwrap();
        Effect { n: 5 }.perform(&context).await.unwrap();
        assert_eq!((ran.recv().await.unwrap().attempt, count(&pool, "effects").await), (2, 1));
    })
    .await;
}
