//! Jobs start at their time, and end at the latest at theirs.

use std::time::{Duration, SystemTime};

use pgq_postgres::{Context, DatabaseContext, Enqueue, Job, JobError, JobResult, Perform, Runner};
use pgq_tests::{Action, Running, Step, job, until_asleep, until_state, with_database};
use serde::{Deserialize, Serialize};
use sqlx::{Executor, PgConnection, query_scalar};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// Longer than a test may take: what happens before was not a poll's doing.
const NEVER: Duration = Duration::from_secs(600);

/// Tells how many milliseconds after its time it began, by the database's clock.
#[derive(Job)]
#[job(state = UnboundedSender<f64>, retry_waits = ["40ms"])]
struct Timed {
    way: Way,
}

/// What made it wait for its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Way {
    After,
    At,
    Retry,
    Snooze,
}

impl Perform for Timed {
    async fn perform(&self, ctx: &Context<UnboundedSender<f64>>) -> JobResult {
        let late = "select extract(epoch from clock_timestamp() - run_at)::float8 * 1000 from pgq.jobs where id = $1";
        let late: Option<f64> = query_scalar(late).bind(ctx.id().0).fetch_one(ctx.pool()?).await?;
        match late {
            Some(late) => Ok(ctx.state().send(late)?),
            None if self.way == Way::Snooze => Err(JobError::snooze(Duration::from_millis(40))),
            None => Err("not before its time".into()),
        }
    }
}

async fn enqueue(session: &mut PgConnection, way: Way) {
    let soon = Duration::from_millis(40);
    let timed = Timed { way }.to_enqueue();
    let timed = match way {
        Way::After => timed.after(soon),
        Way::At => {
            let now = "select extract(epoch from clock_timestamp())::float8";
            let now: f64 = query_scalar(now).fetch_one(&mut *session).await.unwrap();
            timed.at(SystemTime::UNIX_EPOCH + Duration::from_secs_f64(now) + soon)
        }
        Way::Retry | Way::Snooze => timed,
    };
    timed.enqueue(session).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn delayed_snoozed_and_retried_jobs_start_at_their_time() {
    with_database(async |db| {
        let pool = db.pool();
        // A job exists once its enqueue is on disk, and a busy disk would take the blame for starting late.
        let mut session = db.connect().await.unwrap();
        session.execute("set synchronous_commit = off").await.unwrap();
        let (lateness, mut late) = unbounded_channel::<f64>();
        let runner = Runner::empty().register::<Timed>().state(lateness).pool(pool.clone());
        let runner = runner.without_signals().poll_interval(NEVER);
        let handle = runner.handle();
        let running = tokio::spawn(runner.run());
        until_asleep(&pool, 1).await;
        let mut all = Vec::new();
        for way in [Way::After, Way::At, Way::Retry, Way::Snooze] {
            let mut of_way = Vec::new();
            for _ in 0..6 {
                enqueue(&mut session, way).await;
                of_way.push(late.recv().await.unwrap());
            }
            println!("{way:?}: {of_way:.1?} ms late");
            all.extend(of_way);
        }
        handle.stop();
        running.await.unwrap().unwrap();
        all.sort_by(f64::total_cmp);
        let (first, median, last) = (all[0], all[all.len() / 2], all[all.len() - 1]);
        println!("earliest {first:.1} ms, median {median:.1} ms, latest {last:.1} ms late");
        assert!(first >= 0.0, "none is early: {all:?}");
        assert!(median < 50.0, "{all:?}");
        assert!(last < 250.0, "{all:?}");
    })
    .await;
}

/// Never returns; its type sets no timeout.
#[derive(Job)]
#[job(queue = "step", retry_waits = [])]
struct Patient {}

/// Never returns; its type sets a timeout.
#[derive(Job)]
#[job(queue = "step", retry_waits = [], timeout = "30ms")]
struct Hasty {}

impl Perform for Patient {
    async fn perform(&self, _: &Context) -> JobResult {
        std::future::pending().await
    }
}

impl Perform for Hasty {
    async fn perform(&self, _: &Context) -> JobResult {
        std::future::pending().await
    }
}

#[tokio::test]
async fn the_timeout_of_the_job_comes_before_that_of_its_type_and_that_before_the_runners() {
    with_database(async |db| {
        let pool = db.pool();
        let ms = Duration::from_millis;
        let jobs = [
            (Patient {}.enqueue(&pool).await.unwrap(), "40ms"),
            (Hasty {}.enqueue(&pool).await.unwrap(), "30ms"),
            (Patient {}.timeout(ms(20)).enqueue(&pool).await.unwrap(), "20ms"),
            (Hasty {}.timeout(ms(20)).enqueue(&pool).await.unwrap(), "20ms"),
            (Hasty {}.timeout(ms(50)).enqueue(&pool).await.unwrap(), "50ms"),
        ];
        let running = Running::start_with(db, |runner| {
            runner.register::<Patient>().register::<Hasty>().timeout(ms(40)).cancel_grace(ms(10))
        });
        for (id, limit) in jobs {
            until_state(&pool, id, "discarded").await;
            let reason = job(&pool, id).await.unwrap().2.unwrap();
            assert_eq!(reason, format!("timed out after {limit}"));
        }
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_handler_that_ignores_its_timeout_is_dropped_after_the_grace_and_its_slot_is_free() {
    with_database(async |db| {
        let pool = db.pool();
        let id = Step::of(1, Action::Hang).timeout(Duration::from_millis(20)).enqueue(&pool).await.unwrap();
        let mut running =
            Running::start_with(db, |runner| runner.slots(1).cancel_grace(Duration::from_millis(20)));
        running.ran().await;
        until_state(&pool, id, "scheduled").await;
        Step::succeed(2).enqueue(&pool).await.unwrap();
        assert_eq!(running.ran().await.n, 2);
        let (counts, _) = running.stop().await;
        assert_eq!((counts.retried, counts.completed), (1, 1));
        let error: String = query_scalar("select error from pgq.failures").fetch_one(&pool).await.unwrap();
        assert_eq!(error, "timed out after 20ms");
    })
    .await;
}

#[tokio::test]
async fn a_handler_that_returns_within_the_grace_has_its_own_word() {
    with_database(async |db| {
        let pool = db.pool();
        let timeout = Duration::from_millis(20);
        let ok = Step::of(1, Action::UntilCancelled).timeout(timeout).enqueue(&pool).await.unwrap();
        let fails = Step::of(2, Action::FailOnceCancelled).retry_waits([]).timeout(timeout);
        let fails = fails.enqueue(&pool).await.unwrap();
        let running = Running::start_with(db, |runner| runner.cancel_grace(NEVER).keep_completed(NEVER));
        until_state(&pool, ok, "completed").await;
        until_state(&pool, fails, "discarded").await;
        running.stop().await;
        assert_eq!(job(&pool, fails).await.unwrap().2.as_deref(), Some("given up"));
    })
    .await;
}
