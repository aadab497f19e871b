//! Jobs that appear behind the place that claims have reached are found all the same.

use std::time::{Duration, Instant};

use pgq_postgres::Enqueue;
use pgq_tests::{Running, Step, with_database};

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
