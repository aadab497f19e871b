//! What a handler learns of its attempt, and what it may do with the database.

use std::time::{Duration, SystemTime};

use pgq_postgres::{Context, DatabaseContext, Enqueue, Job, JobId, JobResult, Perform, Runner};
use pgq_tests::{count, with_database};
use sqlx::query_as;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// Tells all that its context says, and fails once.
#[derive(Job)]
#[job(queue = "told", state = UnboundedSender<Told>, retry_waits = ["0s", "1m"])]
struct Tell {}

#[derive(Debug, Clone, PartialEq)]
struct Told {
    id: JobId,
    attempt: i16,
    max_attempts: i16,
    queue: String,
    enqueued_at: SystemTime,
    idempotency_key: String,
}

impl Perform for Tell {
    async fn perform(&self, ctx: &Context<UnboundedSender<Told>>) -> JobResult {
        ctx.state().send(Told {
            id: ctx.id(),
            attempt: ctx.attempt(),
            max_attempts: ctx.max_attempts(),
            queue: ctx.queue().to_owned(),
            enqueued_at: ctx.enqueued_at(),
            idempotency_key: ctx.idempotency_key(),
        })?;
        if ctx.attempt() == 1 { Err("once".into()) } else { Ok(()) }
    }
}

#[tokio::test]
async fn a_context_says_the_same_in_every_attempt_but_for_its_number() {
    with_database(async |db| {
        let pool = db.pool();
        let (tell, mut told) = unbounded_channel::<Told>();
        let runner = Runner::empty().register::<Tell>().state(tell).pool(pool.clone()).without_signals();
        let handle = runner.handle();
        let running = tokio::spawn(runner.run());
        let mut keys = Vec::new();
        for _ in 0..2 {
            let id = Tell {}.enqueue(&pool).await.unwrap().id();
            let first = told.recv().await.unwrap();
            let second = told.recv().await.unwrap();
            assert_eq!((first.id, first.attempt, first.max_attempts, &*first.queue), (id, 1, 3, "told"));
            assert_eq!(second, Told { attempt: 2, ..first.clone() });
            let age = first.enqueued_at.elapsed().unwrap_or_default();
            assert!(age < Duration::from_secs(60), "{age:?}");
            keys.push(first.idempotency_key);
        }
        assert_ne!(keys[0], keys[1]);
        handle.stop();
        running.await.unwrap().unwrap();
    })
    .await;
}

/// Writes a row and enqueues its successor, both with its own completion or not at all.
#[derive(Job)]
#[job(transactional, retry_waits = ["0s"])]
struct Stage {
    n: i64,
}

impl Perform for Stage {
    async fn perform(&self, ctx: &Context) -> JobResult {
        let mut tx = ctx.begin().await?;
        sqlx::query("insert into stages (n) values ($1)").bind(self.n).execute(&mut *tx).await?;
        if self.n < 3 {
            Stage { n: self.n + 1 }.enqueue(&mut *tx).await?;
        }
        if ctx.attempt() == 1 {
            return Err("after the work and before the commit".into());
        }
        Ok(ctx.complete_in(tx).await?)
    }
}

#[tokio::test]
async fn follow_up_jobs_exist_exactly_if_their_parent_has_completed() {
    with_database(async |db| {
        let pool = db.pool();
        sqlx::query("create table stages (n bigint)").execute(&pool).await.unwrap();
        Stage { n: 1 }.enqueue(&pool).await.unwrap();
        let drained = Runner::empty().register::<Stage>().pool(pool.clone()).drain().await.unwrap();
        assert_eq!(drained.iter().map(|done| done.attempt).collect::<Vec<_>>(), [1, 2, 1, 2, 1, 2]);
        let stages: Vec<(i64,)> = query_as("select n from stages order by n").fetch_all(&pool).await.unwrap();
        assert_eq!(stages, [(1,), (2,), (3,)]);
        assert_eq!(count(&pool, "pgq.jobs").await, 0);
    })
    .await;
}
