//! A runner behind a pooler that gives every transaction to any session of the server: PgBouncer in transaction mode,
//! where it is installed.

use std::time::Duration;

use pgq_devdb::Database;
use pgq_postgres::{
    Admin, Cancelled, Enqueue, Enqueueable, Enqueued, Error, Job, OnConflict, Runner, Schedule, Schedules,
    ToEnqueue, Unique, enqueue_all,
};
use pgq_tests::{Action, Effect, PgBouncer, Running, Step, count, states, until, with_database};
use sqlx::{Executor, PgPool, query_scalar, raw_sql};

use crate::worker::Worker;

/// Short, so that nobody waits long for a runner to be dead.
const HEARTBEAT: Duration = Duration::from_millis(200);

fn start(pooler: &PgBouncer, settings: impl FnOnce(Runner) -> Runner) -> Running {
    let quick = |runner: Runner| {
        runner.transaction_pooler().heartbeat_interval(HEARTBEAT).poll_interval(Duration::from_millis(20))
    };
    Running::start_on(&pooler.pool(), |runner| settings(quick(runner)))
}

/// In a transaction, which works with every version.
async fn enqueue<J: Job>(pool: &PgPool, job: ToEnqueue<J>) -> Enqueued {
    let mut tx = pool.begin().await.unwrap();
    let enqueued = job.enqueue(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    enqueued
}

/// What sessions of the server hold for longer than a transaction.
async fn left_in_sessions(db: &Database, pooler: &PgBouncer) -> (i64, i64, Vec<String>) {
    let locks = "pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())";
    let listening = "pg_stat_activity where query ~* '^listen' and datname = current_database()";
    let mut settings = Vec::new();
    // One client has one session of the server for a transaction, so at most all of them are seen in turn.
    for _ in 0..20 {
        let own = "select coalesce(string_agg(name || ' = ' || setting, ', '), '') from pg_settings \
                   where name in ('plan_cache_mode', 'enable_seqscan', 'enable_sort', 'jit', 'synchronous_commit') \
                     and source = 'session'";
        let mut connection = pooler.pool().acquire().await.unwrap();
        let rows = raw_sql(own).fetch_one(&mut *connection).await.unwrap();
        settings.push(sqlx::Row::get::<String, _>(&rows, 0));
    }
    settings.retain(|setting| !setting.is_empty());
    (count(&db.pool(), locks).await, count(&db.pool(), listening).await, settings)
}

#[tokio::test]
async fn schedules_tick() {
    with_database(async |db| {
        let Some(pooler) = PgBouncer::start(db).await else { return };
        let every_second = Schedule::new("every-second", "* * * * * *", Step::succeed(1)).unwrap();
        Schedules::new(&db.pool()).put(every_second).await.unwrap();
        let mut running = start(&pooler, |runner| runner);
        for _ in 0..2 {
            running.ran().await;
        }
        running.stop().await;
        assert!(count(&db.pool(), "pgq.schedule_ticks where job_id is not null").await >= 2);
    })
    .await;
}

#[tokio::test]
async fn every_outcome_is_reached_and_nothing_stays_in_a_session() {
    with_database(async |db| {
        let Some(pooler) = PgBouncer::start(db).await else { return };
        let pool = db.pool();
        let now = [Duration::ZERO; 3];
        let mut running = start(&pooler, |runner| runner);
        let large = Action::Fail("x".repeat(5000));
        for (n, action) in [
            (1, Action::Succeed),
            (2, Action::FailUntil(3)),
            (3, Action::Panic),
            (4, Action::Discard),
            (5, Action::SnoozeOnce(Duration::from_millis(10))),
            (6, Action::SlowQueue),
            (7, large),
        ] {
            Step::of(n, action).retry_waits(now).max_attempts(3).enqueue(&pool).await.unwrap();
        }
        Step::succeed(8).after(Duration::from_millis(50)).enqueue(&pool).await.unwrap();
        let unique = Step::succeed(9).to_enqueue().unique_by(Unique::while_queued(), "key").unwrap();
        unique.enqueue(&pool).await.unwrap();
        running.until(|counts| counts.completed == 5 && counts.discarded == 4).await;
        // Counted when it is decided, a moment before it is recorded.
        until(async || states(&pool).await == [("discarded".to_owned(), 4)]).await;
        assert_eq!(count(&pool, "pgq.unique_keys").await, 0);
        let job = Step::of(10, Action::UntilCancelled).enqueue(&pool).await.unwrap();
        while running.ran().await.n != 10 {}
        assert_eq!(Admin::new(&pool).cancel(job).await.unwrap(), Cancelled::Running);
        running.until(|counts| counts.completed == 6).await;
        // Locks of transactions come and go; one of a session would stay.
        until(async || left_in_sessions(db, &pooler).await == (0, 0, Vec::new())).await;
        let (counts, _) = running.stop().await;
        assert_eq!((counts.database_errors, counts.lease_lost), (0, 0));
        assert_eq!(count(&pool, "pgq.runners").await, 0, "it said goodbye");
        assert_eq!(count(&pool, "pgq.leases").await, 0);
    })
    .await;
}

#[tokio::test]
async fn an_application_enqueues_and_completes_in_its_transactions() {
    with_database(async |db| {
        let Some(pooler) = PgBouncer::start_for_applications(db).await else { return };
        let pool = pooler.pool();
        db.pool()
            .execute("create table effects (n bigint not null, attempt smallint not null)")
            .await
            .unwrap();
        let mut running = start(&pooler, |runner| runner.register::<Effect>());
        for n in 0..20 {
            enqueue(&pool, Effect { n }.to_enqueue()).await;
        }
        enqueue_all(&pool, (20..120).map(|n| Effect { n }.into_prepared().unwrap())).await.unwrap();
        if pooler.prepares() {
            Effect { n: 120 }.enqueue(&pool).await.unwrap();
        } else {
            enqueue(&pool, Effect { n: 120 }.to_enqueue()).await;
        }
        let unique = |n| {
            let policy = Unique::while_unfinished().on_conflict(OnConflict::Replace);
            let later = Step::succeed(n).after(Duration::from_secs(600));
            later.unique_by(policy, "key").unwrap()
        };
        assert!(enqueue(&pool, unique(1)).await.is_new());
        assert!(matches!(enqueue(&pool, unique(2)).await, Enqueued::Replaced(_)));
        let mut tx = pool.begin().await.unwrap();
        Effect { n: 500 }.enqueue(&mut *tx).await.unwrap();
        tx.rollback().await.unwrap();
        running.until(|counts| counts.completed == 121).await;
        let ran = running.ran_many(121).await;
        assert!(ran.iter().map(|ran| ran.n).eq(0..=120), "each of them once, and none that rolled back");
        let effects: Vec<i64> =
            query_scalar("select n from effects order by n").fetch_all(&db.pool()).await.unwrap();
        assert!(effects.into_iter().eq(0..=120));
        let (counts, _) = running.stop().await;
        assert_eq!(counts.database_errors, 0);
    })
    .await;
}

#[tokio::test]
async fn the_jobs_of_a_killed_runner_start_elsewhere() {
    with_database(async |db| {
        let Some(pooler) = PgBouncer::start(db).await else { return };
        let pool = db.pool();
        let settings = [("POOLER", "1"), ("HEARTBEAT_MS", "200")];
        let mut doomed = Worker::start(pooler.url(), &[], &settings);
        let job = Step::of(1, Action::Gate).enqueue(&pool).await.unwrap();
        doomed.ran().await;
        let mut running = start(&pooler, |runner| runner);
        doomed.signal("KILL");
        doomed.exited().await;
        assert_eq!(running.ran().await.attempt, 2);
        running.probe.open_gate(1);
        running.until(|counts| counts.completed == 1).await;
        let (counts, _) = running.stop().await;
        assert_eq!((counts.rescued, counts.database_errors), (1, 0));
        assert_eq!(pgq_tests::job(&pool, job).await, None);
    })
    .await;
}

/// Both ways of running know of each other: one behind the pooler holds no lock, and is not taken for dead.
#[tokio::test]
async fn a_runner_without_a_lock_is_not_taken_for_dead_by_one_that_has_one() {
    with_database(async |db| {
        let Some(pooler) = PgBouncer::start(db).await else { return };
        let pool = db.pool();
        let direct = Running::start_with(db, |runner| runner.heartbeat_interval(HEARTBEAT).queues(["other"]));
        let mut behind = start(&pooler, |runner| runner);
        Step::of(1, Action::Gate).enqueue(&pool).await.unwrap();
        behind.ran().await;
        // As old as the heartbeat of a killed runner that had a lock, at eight looks of the direct one.
        let old = "update pgq.runners set heartbeat_at = now() - 4 * heartbeat_every where lock_key is null";
        let beat = "select heartbeat_at::text from pgq.runners where lock_key is not null";
        let (mut beats, mut last) = (0, None);
        while beats < 8 {
            pool.execute(old).await.unwrap();
            // None while the direct one is still connecting.
            let now: Option<String> = query_scalar(beat).fetch_optional(&pool).await.unwrap();
            beats += i32::from(now.is_some() && now != last);
            last = now;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        behind.probe.open_gate(1);
        behind.until(|counts| counts.completed == 1).await;
        assert_eq!(direct.stop().await.0.rescued, 0);
        assert_eq!(behind.stop().await.0.lease_lost, 0);
    })
    .await;
}

#[tokio::test]
async fn a_runner_that_was_not_told_of_the_pooler_says_what_to_do() {
    with_database(async |db| {
        let Some(pooler) = PgBouncer::start(db).await else { return };
        let runner = Runner::empty().register::<Step>().state(pgq_tests::Probe::new().0);
        let error = runner.pool(pooler.pool()).without_signals().run().await.unwrap_err();
        assert!(matches!(error, Error::Pooler(_)), "{error:?}");
        assert!(error.to_string().contains("Runner::transaction_pooler()"), "{error}");
    })
    .await;
}
