//! A runner that is told to stop finishes what runs and gives the rest back.

use std::net::SocketAddr;
use std::time::Duration;

use pgq_postgres::{Enqueue, Schedule, Schedules};
use pgq_tests::{Action, Running, Step, count, job, states, until, with_database};
use sqlx::{PgPool, query_as, query_scalar};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::worker::Worker;

#[tokio::test]
async fn running_jobs_finish_and_unstarted_ones_go_back_unspent() {
    with_database(async |db| {
        let pool = db.pool();
        // Quick ones first, so that the runner has a reason to prefetch; then one that holds the only slot.
        for n in 0..50 {
            Step::succeed(n).enqueue(&pool).await.unwrap();
        }
        let mut running = Running::start_with(db, |runner| runner.slots(1));
        running.ran_many(50).await;
        let mut tx = pool.begin().await.unwrap();
        Step::of(50, Action::Gate).enqueue(&mut *tx).await.unwrap();
        for n in 51..100 {
            Step::succeed(n).enqueue(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
        assert_eq!(running.ran().await.n, 50);
        running.until(|counts| counts.claimed > 51).await;
        running.handle.stop();
        running.probe.open_gate(1);
        let (counts, ran) = running.stop().await;
        assert_eq!(counts.completed, 51, "the one that ran has finished");
        assert_eq!(ran, [], "nothing was started after the stop");
        assert_eq!(counts.released, counts.claimed - 51);
        let left: (i64, i64) =
            query_as("select count(*), sum(attempts)::bigint from pgq.ready").fetch_one(&pool).await.unwrap();
        assert_eq!(left, (49, 0), "all the others are back, their attempts unspent");
        assert_eq!(count(&pool, "pgq.leases").await + count(&pool, "pgq.runners").await, 0);
    })
    .await;
}

#[tokio::test]
async fn after_the_grace_what_runs_is_cancelled_and_what_does_not_return_goes_back() {
    with_database(async |db| {
        let pool = db.pool();
        Step::of(1, Action::UntilCancelled).enqueue(&pool).await.unwrap();
        Step::of(2, Action::Hang).enqueue(&pool).await.unwrap();
        let mut running = Running::start_with(db, |runner| runner.grace(Duration::from_millis(10)));
        running.ran_many(2).await;
        let handle = running.handle.clone();
        let stopping = tokio::spawn(running.stop());
        // The first returns when the grace is over; the second would be given five seconds, so end them.
        until(async || handle.counts().completed > 0).await;
        handle.stop_now();
        let (counts, _) = stopping.await.unwrap();
        assert_eq!((counts.completed, counts.released), (1, 1));
        let left: (String, i16) =
            query_as("select state, attempts from pgq.jobs").fetch_one(&pool).await.unwrap();
        assert_eq!(left, ("ready".into(), 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_stops_a_process_cleanly_and_a_second_one_skips_the_grace() {
    with_database(async |db| {
        let pool = db.pool();
        Step::of(1, Action::Hang).enqueue(&pool).await.unwrap();
        let mut worker = Worker::start(db.url(), &[], &[]);
        worker.ran().await;
        worker.signal("TERM");
        worker.signal("INT");
        let (code, rest, _) = worker.ended().await;
        assert_eq!((code, rest), (Some(0), vec!["stopped".to_owned()]), "and on_stop was called");
        let left: (String, i16) =
            query_as("select state, attempts from pgq.jobs").fetch_one(&pool).await.unwrap();
        assert_eq!(left, ("ready".into(), 0));
        assert_eq!(count(&pool, "pgq.runners").await, 0);
    })
    .await;
}

/// Waits until a statement of that part of a runner waits for a lock of the test's.
async fn until_blocked(pool: &PgPool, part: &str) {
    let blocked = "select count(*) from pg_stat_activity where application_name = $1 and wait_event_type = 'Lock' \
                   and datname = current_database()";
    until(async || query_scalar::<_, i64>(blocked).bind(part).fetch_one(pool).await.unwrap() > 0).await;
}

/// Waits until a runner that was told to stop knows: its listener ends at once.
async fn until_stopping(pool: &PgPool) {
    let listening = "pg_stat_activity where application_name = 'pgq listen' and datname = current_database()";
    until(async || count(pool, listening).await == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_runner_fires_while_it_is_told_to_stop_is_counted() {
    with_database(async |db| {
        let pool = db.pool();
        let patient = "alter function pgq.fire_schedule set lock_timeout = '1min'";
        sqlx::query(patient).execute(&pool).await.unwrap();
        let mut tx = pool.begin().await.unwrap();
        sqlx::query("lock table pgq.schedule_ticks in share mode").execute(&mut *tx).await.unwrap();
        let every_second = Schedule::new("every-second", "* * * * * *", Step::succeed(1)).unwrap();
        Schedules::new(&pool).put(every_second).await.unwrap();
        let running = Running::start(db);
        until_blocked(&pool, "pgq schedule").await;
        running.handle.stop();
        until_stopping(&pool).await;
        tx.rollback().await.unwrap();
        let (counts, _) = running.stop().await;
        assert_eq!((counts.fired, count(&pool, "pgq.schedule_ticks").await), (1, 1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_during_a_claim_leaves_the_job_as_it_was() {
    with_database(async |db| {
        let pool = db.pool();
        let mut worker = Worker::start(db.url(), &[], &[]);
        Step::succeed(1).enqueue(&pool).await.unwrap();
        worker.ran().await;
        let mut tx = pool.begin().await.unwrap();
        sqlx::query("lock table pgq.leases in share mode").execute(&mut *tx).await.unwrap();
        let id = Step::succeed(2).enqueue(&pool).await.unwrap();
        until_blocked(&pool, "pgq claim").await;
        worker.signal("TERM");
        until_stopping(&pool).await;
        tx.rollback().await.unwrap();
        let (code, rest, log) = worker.ended().await;
        assert_eq!((code, rest), (Some(0), vec!["stopped".to_owned()]), "{log}");
        assert_eq!(job(&pool, id).await, Some(("ready".into(), 0, None)));
        assert_eq!(count(&pool, "pgq.leases").await + count(&pool, "pgq.runners").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_during_runs_lets_them_end_as_they_like() {
    with_database(async |db| {
        let pool = db.pool();
        let mut worker = Worker::start(db.url(), &[], &[("KEEP_COMPLETED", "1")]);
        let ends = [
            Action::Succeed,
            Action::Fail("no".into()),
            Action::Discard,
            Action::Snooze(Duration::from_secs(60)),
        ];
        let mut ids = Vec::new();
        for (n, action) in (0..).zip(ends) {
            ids.push(Step::of(n, Action::Gated(Box::new(action))).enqueue(&pool).await.unwrap());
            worker.ran().await;
        }
        worker.signal("TERM");
        worker.open_gate(4).await;
        let (code, rest, log) = worker.ended().await;
        assert_eq!((code, rest), (Some(0), vec!["stopped".to_owned()]), "{log}");
        let expected = [
            ("completed", 1, None),
            ("scheduled", 1, None),
            ("discarded", 1, Some("no use")),
            ("scheduled", 0, None),
        ];
        for (id, (state, attempts, reason)) in ids.into_iter().zip(expected) {
            assert_eq!(job(&pool, id).await, Some((state.into(), attempts, reason.map(Into::into))));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_during_a_settle_records_what_ended() {
    for (action, expected) in
        [(Action::Succeed, vec![]), (Action::Fail("no".into()), vec![("scheduled".to_owned(), 1)])]
    {
        with_database(async |db| {
            let pool = db.pool();
            let mut worker = Worker::start(db.url(), &[], &[]);
            Step::of(1, Action::Gated(Box::new(action))).enqueue(&pool).await.unwrap();
            worker.ran().await;
            let mut tx = pool.begin().await.unwrap();
            sqlx::query("lock table pgq.leases in share mode").execute(&mut *tx).await.unwrap();
            worker.open_gate(1).await;
            until_blocked(&pool, "pgq settle").await;
            worker.signal("TERM");
            tx.rollback().await.unwrap();
            let (code, rest, log) = worker.ended().await;
            assert_eq!((code, rest), (Some(0), vec!["stopped".to_owned()]), "{log}");
            assert_eq!(states(&pool).await, expected);
            assert_eq!(count(&pool, "pgq.leases").await + count(&pool, "pgq.runners").await, 0);
        })
        .await;
    }
}

/// Answers each request by enqueueing one step.
async fn serve(listener: TcpListener, pool: PgPool) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 256];
        let _ = stream.read(&mut request).await.unwrap();
        let id = Step::succeed(1).enqueue(&pool).await.unwrap().id();
        let body = id.to_string();
        let answer = format!("HTTP/1.1 201 Created\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

async fn request(address: SocketAddr) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 201");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_server_goes_on_when_the_runner_in_its_process_stops() {
    with_database(async |db| {
        let pool = db.pool();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(serve(listener, pool.clone()));
        for _ in 0..3 {
            let mut running = Running::start(db);
            for _ in 0..5 {
                request(address).await;
                running.ran().await;
            }
            let (counts, rest) = running.stop().await;
            assert_eq!((counts.completed, rest), (5, vec![]));
        }
        request(address).await;
        assert!(!server.is_finished(), "it serves on");
        assert_eq!(states(&pool).await, [("ready".to_owned(), 1)]);
        server.abort();
    })
    .await;
}

#[tokio::test]
async fn an_idle_runner_stops_at_once() {
    with_database(async |db| {
        let running = Running::start(db);
        let (counts, _) = running.stop().await;
        assert_eq!(counts.claimed, 0);
        assert_eq!(states(&db.pool()).await, []);
    })
    .await;
}

#[tokio::test]
async fn a_runner_whose_future_is_dropped_leaves_no_task_behind() {
    with_database(async |db| {
        let pool = db.pool();
        Step::of(1, Action::Hang).enqueue(&pool).await.unwrap();
        let (probe, mut ran) = pgq_tests::Probe::new();
        let runner = pgq_postgres::Runner::empty().register::<Step>().state(probe).pool(pool.clone());
        let mut running = Box::pin(runner.without_signals().run());
        tokio::select! {
            _ = &mut running => panic!("it runs until it is told to stop"),
            ran = ran.recv() => assert!(ran.is_some()),
        }
        drop(running);
        // Every task and the thread let go of the database; the job is left to a rescuer.
        let sessions =
            "pg_stat_activity where application_name like 'pgq %' and datname = current_database()";
        until(async || count(&pool, sessions).await == 0).await;
        assert_eq!(states(&pool).await, [("running".to_owned(), 1)]);
        assert!(ran.recv().await.is_none(), "the handler was dropped, and with it the state");
    })
    .await;
}
