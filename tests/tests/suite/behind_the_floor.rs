//! Jobs that appear behind the place that claims have reached are found all the same.

use std::time::{Duration, Instant};

use pgq_postgres::{Enqueue, enqueue_all};
use pgq_tests::{Running, Step, with_database};
use sqlx::Executor;

#[tokio::test]
async fn a_job_that_commits_late_is_found_by_a_runner_that_has_nothing_else_to_do() {
    with_database(async |db| {
        let pool = db.pool();
        let often = Duration::from_millis(50);
        let mut running = Running::start_with(db, |runner| runner.without_notify().poll_interval(often));
        let mut late = pool.begin().await.unwrap();
        Step::succeed(-1).enqueue(&mut *late).await.unwrap();
        // Claims go on for longer than their floor lies back.
        let begun = Instant::now();
        let mut n = 0;
        while begun.elapsed() < Duration::from_secs(3) {
            Step::succeed(n).enqueue(&pool).await.unwrap();
            assert_eq!(running.ran().await.n, n);
            n += 1;
        }
        late.commit().await.unwrap();
        let committed = Instant::now();
        assert_eq!(running.ran().await.n, -1);
        assert!(committed.elapsed() < Duration::from_secs(5), "{:?}", committed.elapsed());
        running.stop().await;
    })
    .await;
}

/// Large claims pass over rows with the mark of a transaction, of which some are of one that was rolled back.
#[tokio::test]
async fn jobs_that_were_locked_and_rolled_back_run_all_the_same() {
    with_database(async |db| {
        let pool = db.pool();
        const JOBS: i64 = 3000;
        enqueue_all(&pool, (0..JOBS).map(Step::succeed)).await.unwrap();
        let mut locker = pool.begin().await.unwrap();
        locker.execute("select from pgq.ready where id % 10 <> 0 for update").await.unwrap();
        locker.rollback().await.unwrap();
        let running = Running::start(db);
        let begun = Instant::now();
        running.until(|counts| counts.completed == JOBS as u64).await;
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        running.stop().await;
    })
    .await;
}

/// Large claims follow each other, in turns, and jobs of another priority come meanwhile: only what was claimed before them
/// runs before them.
#[tokio::test]
async fn an_urgent_job_does_not_wait_behind_a_backlog() {
    with_database(async |db| {
        let pool = db.pool();
        const BACKLOG: i64 = 30_000;
        const URGENT: i64 = 5;
        // Two claims may be under way, of a thousand and a half each.
        const UNDER_WAY: u64 = 3000;
        enqueue_all(&pool, (0..BACKLOG).map(|n| Step::succeed(n).priority(5))).await.unwrap();
        let mut running = Running::start(db);
        let mut claimed = Vec::new();
        for urgent in 1..=URGENT {
            running.until(|counts| counts.completed > urgent as u64 * 4000).await;
            Step::succeed(-urgent).priority(-1).enqueue(&pool).await.unwrap();
            claimed.push(running.handle.counts().claimed);
        }
        let mut ran = Vec::new();
        for _ in 0..BACKLOG + URGENT {
            ran.push(running.ran().await.n);
        }
        for (urgent, claimed) in (1..).zip(claimed) {
            let place = ran.iter().position(|n| *n == -urgent).unwrap();
            let overtaken_by = (place as u64).saturating_sub(claimed);
            assert!(overtaken_by < UNDER_WAY, "{overtaken_by} later claimed jobs ran before an urgent one");
        }
        running.stop().await;
    })
    .await;
}
