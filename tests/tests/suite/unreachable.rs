//! Starting and stopping while the database cannot be reached.

use std::time::{Duration, Instant};

use pgq_postgres::Enqueue;
use pgq_tests::{Action, Proxy, Running, Step, with_database};

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_interrupted_is_tried_again() {
    for (session, tag) in [("pgq start", "SELECT"), ("pgq heartbeat", "SELECT"), ("pgq heartbeat", "INSERT")]
    {
        with_database(async |db| {
            let pool = db.pool();
            let proxy = Proxy::start(db.url()).await;
            let lost = proxy.lose_reply(session, tag);
            let mut running = Running::start_with(db, |runner| runner.pool(proxy.pool()));
            lost.await.unwrap();
            Step::succeed(1).enqueue(&pool).await.unwrap();
            running.ran().await;
            running.stop().await;
        })
        .await;
    }
}

async fn stop_while_unreachable(fail: impl Fn(&Proxy)) {
    with_database(async |db| {
        let pool = db.pool();
        let proxy = Proxy::start(db.url()).await;
        let mut running = Running::start_with(db, |runner| runner.pool(proxy.pool()));
        Step::of(1, Action::Gate).enqueue(&pool).await.unwrap();
        running.ran().await;
        fail(&proxy);
        running.probe.open_gate(1);
        running.until(|counts| counts.completed == 1).await;
        let since = Instant::now();
        running.stop_now().await;
        // One last statement, and one goodbye that is not heard.
        assert!(since.elapsed() < Duration::from_secs(20), "{:?}", since.elapsed());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_in_a_black_hole_stops_when_it_must() {
    stop_while_unreachable(Proxy::black_hole).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_without_a_database_stops_when_it_must() {
    stop_while_unreachable(|proxy| {
        proxy.refuse();
        proxy.cut();
    })
    .await;
}
