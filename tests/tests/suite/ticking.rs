//! Many runners and one tick: one job, and none missed, whatever happens to the runners.

use std::collections::HashSet;
use std::time::Duration;

use pgq_postgres::{Missed, Schedule, Schedules};
use pgq_tests::{Step, count, until, with_database};
use sqlx::{PgPool, query_as, query_scalar};

use crate::clock::{YEARS, shifted_clock};
use crate::worker::Worker;

/// How many schedules tick at the same seconds, so that runners meet often.
const SCHEDULES: i64 = 10;

const SETTINGS: [(&str, &str); 2] = [("HEARTBEAT_MS", "500"), ("KEEP_COMPLETED", "1")];

async fn put_schedules(pool: &PgPool) {
    for n in 0..SCHEDULES {
        let schedule = Schedule::new(&format!("s{n}"), "* * * * * *", Step::succeed(n)).unwrap();
        Schedules::new(pool).put(schedule.missed(Missed::All(1000))).await.unwrap();
    }
}

async fn last_tick(pool: &PgPool) -> i64 {
    let last = "select coalesce(extract(epoch from min(last_at))::bigint, 0) from pgq.schedules";
    query_scalar(last).fetch_one(pool).await.unwrap()
}

/// Waits until every schedule has ticked so often more.
async fn until_ticked(pool: &PgPool, ticks: i64) {
    until(async || last_tick(pool).await > 0).await;
    let start = last_tick(pool).await;
    until(async || last_tick(pool).await >= start + ticks).await;
}

/// Every second has one tick of each schedule, and every tick a job of its own.
async fn check(pool: &PgPool) {
    for name in (0..SCHEDULES).map(|n| format!("s{n}")) {
        let _ = Schedules::new(pool).delete(&name).await.unwrap();
    }
    let ticks = "select schedule, count(*), extract(epoch from max(tick_at) - min(tick_at))::bigint \
                 from pgq.schedule_ticks group by schedule";
    let ticks: Vec<(String, i64, i64)> = query_as(ticks).fetch_all(pool).await.unwrap();
    assert_eq!(ticks.len() as i64, SCHEDULES);
    for (schedule, ticks, seconds) in &ticks {
        assert_eq!(*ticks, seconds + 1, "{schedule} has missed a second");
    }
    let jobs: Vec<Option<i64>> =
        query_scalar("select job_id from pgq.schedule_ticks").fetch_all(pool).await.unwrap();
    let different: HashSet<_> = jobs.iter().flatten().collect();
    assert_eq!(different.len(), jobs.len(), "every tick has a job of its own");
    assert_eq!(count(pool, "pgq.jobs").await, jobs.len() as i64, "and there are no others");
    let late = "select extract(epoch from percentile_cont(0.5) within group (order by fired_at - tick_at))::float8 \
                from pgq.schedule_ticks";
    let late: f64 = query_scalar(late).fetch_one(pool).await.unwrap();
    println!("{} ticks, fired {late:.3} s after their time in the median", jobs.len());
}

#[cfg_attr(not(target_os = "linux"), ignore = "shifts the clock as Linux does it")]
#[tokio::test(flavor = "multi_thread")]
async fn five_runners_whose_clocks_differ_race_and_one_is_paused_and_every_tick_has_one_job() {
    let folder = tempfile::tempdir().unwrap();
    let library = shifted_clock(folder.path());
    with_database(async |db| {
        let pool = db.pool();
        let mut workers = Vec::new();
        for shift in [0, 3, -3, YEARS, -YEARS] {
            let shift = shift.to_string();
            let clock = [("LD_PRELOAD", library.to_str().unwrap()), ("CLOCK_SHIFT_S", &shift)];
            let mut worker = Worker::start(db.url(), &[], &[&SETTINGS[..], &clock].concat());
            println!("one takes {} for the time", worker.clock().await);
            workers.push(worker);
        }
        put_schedules(&pool).await;
        until_ticked(&pool, 1).await;
        for worker in &workers[..4] {
            // At any moment, in the middle of firing, too.
            tokio::time::sleep(Duration::from_millis(fastrand::u64(0..300))).await;
            worker.signal("STOP");
            until_ticked(&pool, 1).await;
            worker.signal("CONT");
        }
        until_ticked(&pool, 1).await;
        check(&pool).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_is_killed_while_it_fires_leaves_the_tick_to_another_one() {
    with_database(async |db| {
        let pool = db.pool();
        let mut workers: Vec<_> = (0..2).map(|_| Worker::start(db.url(), &[], &SETTINGS)).collect();
        put_schedules(&pool).await;
        until_ticked(&pool, 1).await;
        for _ in 0..4 {
            workers.push(Worker::start(db.url(), &[], &SETTINGS));
            // Runners fire within the first 20 ms of a second or so.
            let to_second = "select 1000 - extract(milliseconds from now())::integer % 1000";
            let to_second: i32 = query_scalar(to_second).fetch_one(&pool).await.unwrap();
            let moment = u64::try_from(to_second).unwrap() + fastrand::u64(0..60);
            tokio::time::sleep(Duration::from_millis(moment)).await;
            let victim = workers.remove(0);
            victim.signal("KILL");
            victim.exited().await;
            until_ticked(&pool, 1).await;
        }
        check(&pool).await;
    })
    .await;
}
