//! A worker whose clock is wrong by years works like any other: the database's clock decides.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use pgq_postgres::{Enqueue, Schedule, Schedules};
use pgq_tests::{Action, Ran, Running, Step, count, states, until, with_database};
use sqlx::query_scalar;

use crate::worker::Worker;

/// About ten years.
pub(crate) const YEARS: i64 = 10 * 365 * 86_400;

/// A library that, loaded before all others, shifts the clock of a process.
pub(crate) fn shifted_clock(folder: &Path) -> PathBuf {
    let library = folder.join("shifted_clock.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/shifted_clock.rs");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let arguments = ["--edition=2024", "--crate-type=cdylib", "-Copt-level=1", source, "-o"];
    let built = Command::new(rustc).args(arguments).arg(&library).status().unwrap();
    assert!(built.success(), "{source} does not compile");
    library
}

#[cfg_attr(not(target_os = "linux"), ignore = "shifts the clock as Linux does it")]
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_clock_is_ten_years_off_fires_schedules_by_the_databases() {
    let folder = tempfile::tempdir().unwrap();
    let library = shifted_clock(folder.path());
    for shift in [YEARS, -YEARS] {
        with_database(async |db| {
            let pool = db.pool();
            let shift = shift.to_string();
            let settings = [("LD_PRELOAD", library.to_str().unwrap()), ("CLOCK_SHIFT_S", &shift)];
            let mut shifted = Worker::start(db.url(), &[], &settings);
            let said: i64 = shifted.clock().await;
            let now: i64 =
                query_scalar("select extract(epoch from now())::bigint").fetch_one(&pool).await.unwrap();
            assert!((said - now).abs() > YEARS - 3600, "{said} against {now}");
            let schedule = Schedule::new("a", "* * * * * *", Step::succeed(1)).unwrap();
            Schedules::new(&pool).put(schedule).await.unwrap();
            for _ in 0..3 {
                shifted.ran().await;
            }
            let far =
                "pgq.schedule_ticks where fired_at < tick_at or fired_at > tick_at + interval '1 minute'";
            assert_eq!(count(&pool, far).await, 0);
            let ahead =
                "pgq.schedules where next_at - now() between interval '-1 minute' and interval '1 second'";
            assert_eq!(count(&pool, ahead).await, 1);
            shifted.signal("KILL");
            shifted.exited().await;
        })
        .await;
    }
}

#[cfg_attr(not(target_os = "linux"), ignore = "shifts the clock as Linux does it")]
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_clock_is_ten_years_off_behaves_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let library = shifted_clock(folder.path());
    for shift in [YEARS, -YEARS] {
        with_database(async |db| {
            let pool = db.pool();
            let shift = shift.to_string();
            let settings = [
                ("HEARTBEAT_MS", "200"),
                ("LD_PRELOAD", library.to_str().unwrap()),
                ("CLOCK_SHIFT_S", &shift),
            ];
            let mut shifted = Worker::start(db.url(), &[], &settings);
            let witness = Running::start_with(db, |runner| {
                runner.heartbeat_interval(Duration::from_millis(200)).queues(["other"])
            });
            // The worker says what it takes for the time, so that the test cannot pass with a clock that is right.
            let said: i64 = shifted.clock().await;
            let now: i64 =
                query_scalar("select extract(epoch from now())::bigint").fetch_one(&pool).await.unwrap();
            assert!((said - now).abs() > YEARS - 3600, "{said} against {now}");

            Step::of(1, Action::SnoozeOnce(Duration::from_millis(50))).enqueue(&pool).await.unwrap();
            assert_eq!([shifted.ran().await, shifted.ran().await], [Ran { n: 1, attempt: 1 }; 2]);
            Step::of(2, Action::FailUntil(2))
                .retry_waits([Duration::from_millis(50)])
                .enqueue(&pool)
                .await
                .unwrap();
            assert_eq!([shifted.ran().await.attempt, shifted.ran().await.attempt], [1, 2]);
            Step::succeed(3).after(Duration::from_millis(50)).enqueue(&pool).await.unwrap();
            assert_eq!(shifted.ran().await.n, 3);
            Step::succeed(4).after(Duration::from_secs(3600)).enqueue(&pool).await.unwrap();
            Step::of(5, Action::UntilCancelled)
                .timeout(Duration::from_millis(50))
                .enqueue(&pool)
                .await
                .unwrap();
            assert_eq!(shifted.ran().await.n, 5);
            // A finished job is years old by the worker's clock, and new by the database's.
            Step::of(6, Action::Discard).enqueue(&pool).await.unwrap();
            assert_eq!(shifted.ran().await.n, 6);
            Step::of(7, Action::Gate).enqueue(&pool).await.unwrap();
            assert_eq!(shifted.ran().await.n, 7);
            // Long enough for others to take a silent runner's jobs.
            tokio::time::sleep(Duration::from_millis(200 * 4)).await;
            shifted.open_gate(1).await;
            until(async || count(&pool, "pgq.leased").await == 0).await;
            shifted.signal("TERM");
            let (code, rest, log) = shifted.ended().await;
            assert_eq!((code, rest), (Some(0), vec!["stopped".to_owned()]), "{log}");
            let (counts, rest) = witness.stop().await;
            assert_eq!((counts.rescued, rest), (0, vec![]));
            assert_eq!(states(&pool).await, [("discarded".to_owned(), 1), ("scheduled".to_owned(), 1)]);
        })
        .await;
    }
}
