//! What a runner tells the probes of a web server.

use std::time::Duration;

use pgq_postgres::{Enqueue, Health, Runner, RunnerHandle};
use pgq_tests::{Action, Probe, Proxy, Running, Step, with_database, with_empty_database};

/// Waits until the health is as the test wants it.
async fn until(handle: &RunnerHandle, wanted: impl Fn(&Health) -> bool) -> Health {
    loop {
        let health = handle.health();
        if wanted(&health) {
            return health;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn runner(pool: sqlx::PgPool) -> Runner {
    Runner::empty().register::<Step>().state(Probe::new().0).pool(pool).without_signals()
}

#[tokio::test]
async fn a_runner_is_ready_while_it_claims_and_live_until_it_has_ended() {
    with_database(async |db| {
        let pool = db.pool();
        Step::of(1, Action::Gate).enqueue(&pool).await.unwrap();
        let mut running = Running::start(db);
        let handle = running.handle.clone();
        assert_eq!(handle.health().ready(), Err("the runner has not started yet"));
        assert_eq!(handle.health().live(), Ok(()));
        running.ran().await;
        let ready = until(&handle, |health| health.ready().is_ok()).await;
        assert_eq!((ready.live(), ready.to_string()), (Ok(()), "ready".to_owned()));
        handle.stop();
        let stopping = handle.health();
        assert_eq!(stopping.ready(), Err("the runner is stopping"));
        assert_eq!(stopping.live(), Ok(()), "what runs may finish");
        running.probe.open_gate(1);
        running.stop().await;
        assert_eq!(handle.health().live(), Err("the runner has ended"));
        assert_eq!(handle.health().ready(), Err("the runner has ended"));
    })
    .await;
}

#[tokio::test]
async fn a_runner_that_cannot_reach_its_database_is_not_ready_and_after_its_deadline_not_live() {
    with_database(async |db| {
        let proxy = Proxy::start(db.url()).await;
        let running = Running::start_on(&proxy.pool(), |r| r.heartbeat_interval(Duration::from_millis(200)));
        let handle = running.handle.clone();
        until(&handle, |health| health.ready().is_ok()).await;
        proxy.refuse();
        proxy.cut();
        let away = until(&handle, |health| health.ready().is_err()).await;
        assert_eq!(away.live(), Ok(()), "{away}");
        let dead = until(&handle, |health| health.live().is_err()).await;
        assert!(dead.to_string().contains("limit 3s"), "{dead}");
        proxy.heal();
        until(&handle, |health| health.ready().is_ok() && health.live().is_ok()).await;
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_runner_that_fails_to_start_or_is_dropped_is_not_live() {
    with_empty_database(async |db| {
        let failing = runner(db.pool());
        let handle = failing.handle();
        assert!(failing.run().await.is_err(), "there are no tables");
        assert_eq!(handle.health().live(), Err("the runner has ended"));
    })
    .await;
    with_database(async |db| {
        let dropped = runner(db.pool());
        let handle = dropped.handle();
        let running = tokio::spawn(dropped.run());
        until(&handle, |health| health.ready().is_ok()).await;
        running.abort();
        until(&handle, |health| health.live().is_err()).await;
    })
    .await;
}
