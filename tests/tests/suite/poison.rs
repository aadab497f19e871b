//! A job that takes its process down is discarded, and the jobs beside it are not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use pgq_devdb::Database;
use pgq_postgres::{Context, Enqueue, Job, JobResult, Perform, Runner};
use pgq_tests::{Action, Running, Step, states, until, with_database};
use sqlx::{PgPool, query, query_as};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::worker::Worker;

/// Lets that many workers run, each started again whenever it dies, until only finished jobs are left. Returns
/// how often one died.
async fn run_until_finished(db: &Database, workers: usize) -> u32 {
    let deaths = Arc::new(AtomicU32::new(0));
    let mut keepers = JoinSet::new();
    for _ in 0..workers {
        let (url, deaths) = (db.url().to_owned(), deaths.clone());
        keepers.spawn(async move {
            loop {
                Worker::start(&url, &[], &[("HEARTBEAT_MS", "200")]).exited().await;
                deaths.fetch_add(1, SeqCst);
            }
        });
    }
    until(async || states(&db.pool()).await.iter().all(|(state, _)| state == "discarded")).await;
    keepers.shutdown().await;
    deaths.load(SeqCst)
}

async fn discarded(pool: &PgPool) -> Vec<(i64, i16, String)> {
    query_as("select id, crashes, reason from pgq.finished where state = 'discarded'")
        .fetch_all(pool)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_aborts_its_process_is_discarded_and_200_innocents_are_not() {
    is_discarded_and_200_innocents_are_not(Action::Abort).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_overflows_the_stack_is_discarded_and_200_innocents_are_not() {
    is_discarded_and_200_innocents_are_not(Action::Overflow).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_exhausts_the_memory_is_discarded_and_200_innocents_are_not() {
    is_discarded_and_200_innocents_are_not(Action::ExhaustMemory).await;
}

async fn is_discarded_and_200_innocents_are_not(poison_does: Action) {
    with_database(async |db| {
        let pool = db.pool();
        let mut tx = pool.begin().await.unwrap();
        let mut poison = None;
        for n in 0..=200 {
            // Long enough for others to be under way when the process goes down.
            let action = if n == 100 { poison_does.clone() } else { Action::Block(Duration::from_millis(1)) };
            let job = Step::of(n, action).enqueue(&mut *tx).await.unwrap();
            if n == 100 {
                poison = Some(job.id().0);
            }
        }
        tx.commit().await.unwrap();
        let deaths = run_until_finished(db, 2).await;
        let reason = "its runner died 3 times while it ran".to_owned();
        assert_eq!(discarded(&pool).await, [(poison.unwrap(), 3, reason)], "and nobody else");
        assert_eq!(deaths, 3);
        let crashes: Vec<(i16, bool)> =
            query_as("select attempt, crash from pgq.failures order by at").fetch_all(&pool).await.unwrap();
        assert_eq!(crashes, [(1, true), (2, true), (3, true)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspect_that_completed_is_not_charged_with_the_crash_of_the_next() {
    with_database(async |db| {
        let pool = db.pool();
        let mut tx = pool.begin().await.unwrap();
        let mut poison = None;
        for n in 0..20 {
            let action = if n == 10 { Action::Abort } else { Action::Succeed };
            let job = Step::of(n, action).enqueue(&mut *tx).await.unwrap();
            if n == 10 {
                poison = Some(job.id().0);
            }
        }
        // As after two crashes of a runner that had them all.
        query("update pgq.ready set crashes = 2").execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(run_until_finished(db, 1).await, 1);
        let discarded: Vec<i64> = discarded(&pool).await.into_iter().map(|(id, ..)| id).collect();
        assert_eq!(discarded, [poison.unwrap()]);
    })
    .await;
}

/// Counts those that run beside it.
#[derive(Job)]
#[job(state = Crowd)]
struct Counted {
    suspect: bool,
    waits: bool,
}

#[derive(Clone, Default)]
struct Crowd {
    running: Arc<AtomicUsize>,
    /// The most that ever ran beside a suspect, and beside anybody.
    beside_suspect: Arc<AtomicUsize>,
    beside_anybody: Arc<AtomicUsize>,
    gate: Arc<Notify>,
}

impl Perform for Counted {
    async fn perform(&self, ctx: &Context<Crowd>) -> JobResult {
        let crowd = ctx.state();
        crowd.running.fetch_add(1, SeqCst);
        if self.waits {
            crowd.gate.notified().await;
        }
        for _ in 0..5 {
            let others = crowd.running.load(SeqCst) - 1;
            crowd.beside_anybody.fetch_max(others, SeqCst);
            if self.suspect {
                crowd.beside_suspect.fetch_max(others, SeqCst);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        crowd.running.fetch_sub(1, SeqCst);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_two_crashes_a_job_runs_with_nothing_else_in_its_runner() {
    with_database(async |db| {
        let pool = db.pool();
        let crowd = Crowd::default();
        let start = || {
            let runner = Runner::empty().register::<Counted>().state(crowd.clone()).pool(pool.clone());
            runner.without_signals().slots(4)
        };
        let runner = start();
        let handle = runner.handle();
        // Some of everything, in every order: others run before, with and after each suspect.
        let mut tx = pool.begin().await.unwrap();
        for n in 0..60 {
            Counted { suspect: n % 6 == 3, waits: n == 0 }.enqueue(&mut *tx).await.unwrap();
        }
        query("update pgq.ready set crashes = case id % 6 when 4 then 2 when 0 then 1 else 0 end")
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let running = tokio::spawn(runner.run());
        // The first suspect is claimed while the first job still runs.
        until(async || handle.counts().claimed >= 4).await;
        crowd.gate.notify_one();
        until(async || handle.counts().completed >= 60).await;
        handle.stop();
        running.await.unwrap().unwrap();
        assert_eq!(states(&pool).await, []);
        assert_eq!(crowd.beside_suspect.load(SeqCst), 0, "a suspect runs alone");
        assert!(crowd.beside_anybody.load(SeqCst) > 0, "others do not, nor after one crash");
    })
    .await;
}

#[tokio::test]
async fn what_was_claimed_with_a_suspect_does_not_wait_for_its_end() {
    with_database(async |db| {
        let pool = db.pool();
        const BEHIND: u64 = 10;
        let mut tx = pool.begin().await.unwrap();
        Step::of(0, Action::Gate).enqueue(&mut *tx).await.unwrap();
        query("update pgq.ready set crashes = 2").execute(&mut *tx).await.unwrap();
        for n in 1..=BEHIND {
            Step::succeed(n as i64).enqueue(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
        let suspects = Running::start(db);
        suspects.until(|counts| counts.released == BEHIND).await;
        assert_eq!(suspects.handle.counts().claimed, BEHIND + 1, "all in one claim");
        let other = Running::start(db);
        other.until(|counts| counts.completed == BEHIND).await;
        suspects.probe.open_gate(1);
        suspects.until(|counts| counts.completed == 1).await;
        other.stop().await;
        suspects.stop().await;
        assert_eq!(states(&pool).await, []);
    })
    .await;
}
