//! Queues are limited while runners run; statistics say how they are, and why a job has not run.

use std::time::Duration;

use pgq_postgres::admin::{Admin, Count, State};
use pgq_postgres::{Enqueue, Error, JobId};
use pgq_tests::{Action, Effect, Running, Step, count, until, until_state, with_database};
use sqlx::{Executor, PgPool, query};

const HOUR: Duration = Duration::from_secs(3600);

/// Short, so that nobody waits long for what a heartbeat brings.
const HEARTBEAT: Duration = Duration::from_millis(200);

async fn explained(pool: &PgPool, job: JobId) -> String {
    Admin::new(pool).explain(job).await.unwrap().expect("the job is there").to_string()
}

#[tokio::test]
async fn a_limit_is_set_and_lifted_while_a_runner_runs() {
    with_database(async |db| {
        let (pool, admin) = (db.pool(), Admin::new(&db.pool()));
        assert!(matches!(admin.limit_queue("step", Some(0)).await, Err(Error::Setting(_))));
        assert!(matches!(admin.limit_queue("a b", Some(1)).await, Err(Error::Name(_))));
        admin.limit_queue("step", Some(2)).await.unwrap();
        for n in 0..6 {
            Step::of(n, Action::Gate).enqueue(&pool).await.unwrap();
        }
        let mut running = Running::start(db);
        running.ran_many(2).await;
        let mut claims = count(&pool, "pgq.leased").await;
        for _ in 0..20 {
            let queue = admin.queue("step").await.unwrap().unwrap();
            assert_eq!((queue.running, queue.max_running, queue.ready), (2, Some(2), Count::Exactly(4)));
            claims = claims.max(count(&pool, "pgq.leased").await);
        }
        assert_eq!(claims, 2);
        admin.limit_queue("step", Some(3)).await.unwrap();
        running.ran_many(1).await;
        admin.limit_queue("step", None).await.unwrap();
        running.ran_many(3).await;
        running.probe.open_gate(6);
        running.until(|counts| counts.completed == 6).await;
        running.stop().await;
        let limits = admin.audit(10).await.unwrap();
        assert_eq!(limits.iter().map(|change| &*change.action).collect::<Vec<_>>(), ["limit"; 3]);
    })
    .await;
}

#[tokio::test]
async fn statistics_say_depth_latency_throughput_and_failures() {
    with_database(async |db| {
        let (pool, admin) = (db.pool(), Admin::new(&db.pool()));
        assert_eq!(admin.queues().await.unwrap(), []);
        let mut running = Running::start_with(db, |runner| runner.heartbeat_interval(HEARTBEAT));
        for n in 0..3 {
            Step::succeed(n).enqueue(&pool).await.unwrap();
        }
        Step::of(3, Action::Fail("no".into())).enqueue(&pool).await.unwrap();
        Step::of(4, Action::Discard).enqueue(&pool).await.unwrap();
        running.ran_many(5).await;
        let told = async || admin.queue("step").await.unwrap().unwrap();
        until(async || told().await.completed >= 3 && told().await.failed >= 2).await;
        admin.pause("step").await.unwrap();
        Step::succeed(5).enqueue(&pool).await.unwrap();
        Step::succeed(6).after(HOUR).enqueue(&pool).await.unwrap();
        Step::succeed(7).queue("nobody").enqueue(&pool).await.unwrap();
        query("update pgq.ready set enqueued_at = now() - interval '90 s' where queue = 'step'")
            .execute(&pool)
            .await
            .unwrap();
        let step = told().await;
        assert_eq!((step.ready, step.scheduled, step.runners), (Count::Exactly(1), Count::Exactly(2), 1));
        assert_eq!((step.completed, step.failed, step.discarded), (3, 2, 1));
        assert_eq!((step.completed_per_minute, step.failed_per_minute), (3, 2));
        assert_eq!(step.failure_rate(), Some(0.4));
        assert!(step.paused_at.is_some());
        let latency = step.latency.unwrap();
        assert!(latency >= Duration::from_secs(90) && latency < HOUR, "{latency:?}");
        let names: Vec<_> = admin.queues().await.unwrap().into_iter().map(|queue| queue.name).collect();
        assert_eq!(names, ["nobody", "step"]);
        let states = admin.states().await.unwrap().states;
        assert!(states.contains(&(State::Ready, Count::Exactly(2))), "{states:?}");
        assert!(states.contains(&(State::Scheduled, Count::Exactly(2))), "{states:?}");
        assert!(states.contains(&(State::Discarded, Count::Exactly(1))), "{states:?}");
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn runners_say_what_they_run() {
    with_database(async |db| {
        let (pool, admin) = (db.pool(), Admin::new(&db.pool()));
        let mut running = Running::start_with(db, |runner| runner.queues(["step", "other"]).slots(7));
        let id = Step::of(1, Action::Gate).enqueue(&pool).await.unwrap().id();
        running.ran().await;
        let runners = admin.runners(10).await.unwrap();
        assert_eq!(runners.len(), 1);
        let runner = &runners[0];
        assert_eq!((runner.slots, runner.alive, runner.in_hand), (7, true, 1));
        assert_eq!(
            (runner.queues.as_slice(), runner.kinds.as_slice()),
            (&["other".into(), "step".into()][..], &["step".into()][..])
        );
        assert_eq!((runner.jobs[0].id, &*runner.jobs[0].kind, runner.jobs[0].attempt), (id, "step", 1));
        assert!(
            explained(&pool, id).await.starts_with(&format!("it is in the hands of {} since", runner.name))
        );
        running.probe.open_gate(1);
        running.stop().await;
        assert_eq!(admin.runners(10).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn explain_names_what_stands_in_the_way() {
    with_database(async |db| {
        let (pool, admin) = (db.pool(), Admin::new(&db.pool()));
        assert_eq!(admin.explain(JobId(987_654)).await.unwrap(), None);
        let job = Step::succeed(1).enqueue(&pool).await.unwrap().id();
        assert_eq!(explained(&pool, job).await, "no runner lives: start one");
        let overdue = Step::succeed(0).after(HOUR).enqueue(&pool).await.unwrap().id();
        query("update pgq.scheduled set run_at = now() - interval '1 second'").execute(&pool).await.unwrap();
        assert_eq!(explained(&pool, overdue).await, "it is due now, but no runner lives: start one");
        admin.cancel(overdue).await.unwrap();
        let mut running = Running::start(db);
        running.ran().await;
        let lost = Step::succeed(2).queue("lost").enqueue(&pool).await.unwrap().id();
        let text = explained(&pool, lost).await;
        assert!(text.starts_with("none of the 1 living runners serves its queue lost"), "{text}");
        let unknown = Effect { n: 1 }.queue("step").enqueue(&pool).await.unwrap().id();
        let text = explained(&pool, unknown).await;
        assert_eq!(text, "no runner of its queue step knows its kind effect: deploy a program that does");
        admin.cancel(unknown).await.unwrap();
        let text = explained(&pool, unknown).await;
        assert!(text.contains("cancelled while it waited"), "{text}");
        admin.pause("step").await.unwrap();
        let paused = Step::succeed(3).enqueue(&pool).await.unwrap().id();
        let text = explained(&pool, paused).await;
        assert!(text.starts_with("its queue step is paused since") && text.ends_with("resume it"), "{text}");
        let later = Step::succeed(4).after(2 * HOUR + HOUR / 2).enqueue(&pool).await.unwrap().id();
        let text = explained(&pool, later).await;
        assert!(text.starts_with("it is scheduled to run in 2 h 2"), "{text}");
        let newer = Step::succeed(5).enqueue(&pool).await.unwrap().id();
        query("update pgq.ready set version = 9 where id = $1").bind(newer.0).execute(&pool).await.unwrap();
        admin.resume("step").await.unwrap();
        until_gone(&pool, paused).await;
        let text = explained(&pool, newer).await;
        assert_eq!(
            text,
            "no runner of its queue step reads version 9 of its kind step: deploy a newer program"
        );
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn explain_tells_of_slow_queues_limits_and_retries() {
    with_database(async |db| {
        let (pool, admin) = (db.pool(), Admin::new(&db.pool()));
        admin.limit_queue("step", Some(1)).await.unwrap();
        let mut running = Running::start_with(db, |runner| runner.slots(2));
        let fails = Step::of(1, Action::Fail("the disk is full\nat line 9".into()))
            .enqueue(&pool)
            .await
            .unwrap()
            .id();
        running.ran().await;
        until_state(&pool, fails, "scheduled").await;
        let text = explained(&pool, fails).await;
        assert!(text.starts_with("attempt 1 failed (the disk is full): it is retried in "), "{text}");
        Step::of(2, Action::Gate).enqueue(&pool).await.unwrap();
        let waits = Step::succeed(3).enqueue(&pool).await.unwrap().id();
        while admin.queue("step").await.unwrap().unwrap().running != 1 {}
        let text = explained(&pool, waits).await;
        assert_eq!(
            text,
            "its queue step is limited to 1 jobs a runner, and as many run; it is the next of its queue"
        );
        pool.execute("update pgq.queues set max_running = null, slow_until = now() + interval '1 hour'")
            .await
            .unwrap();
        let text = explained(&pool, waits).await;
        assert!(text.starts_with("a handler slowed its queue step down: it goes on in"), "{text}");
        pool.execute("update pgq.scheduled set run_at = 'infinity'").await.unwrap();
        let text = explained(&pool, fails).await;
        assert!(text.starts_with("it is parked (the disk is full): deploy"), "{text}");
        running.stop_now().await;
    })
    .await;
}

/// A row as a living runner of steps keeps it; written by whoever owns the tables.
async fn living_runner(db: &pgq_devdb::Database, queues: &[&str]) {
    let mut owner = db.connect().await.unwrap();
    query(
        "insert into pgq.runners (id, name, library, slots, queues, kinds, versions, heartbeat_every) \
         values (gen_random_uuid(), 'alive:1', '0', 1, $1, '{step}', '{1}', '1 hour')",
    )
    .bind(queues)
    .execute(&mut owner)
    .await
    .unwrap();
}

#[tokio::test]
async fn explain_tells_why_a_job_that_is_due_does_not_move() {
    with_database(async |db| {
        let pool = db.pool();
        let due = Step::succeed(1).after(HOUR).enqueue(&pool).await.unwrap().id();
        pool.execute("update pgq.scheduled set run_at = now() - interval '1 minute'").await.unwrap();
        assert_eq!(explained(&pool, due).await, "it is due now, but no runner lives: start one");
        living_runner(db, &["other"]).await;
        let text = explained(&pool, due).await;
        assert_eq!(
            text,
            "it is due now, but none of the 1 living runners serves its queue step: add it to .queues(..) of one"
        );
        living_runner(db, &["step"]).await;
        let text = explained(&pool, due).await;
        assert_eq!(text, "it is due now, and moves to its queue with the next look of any runner");
    })
    .await;
}

#[tokio::test]
async fn explain_names_the_limit_that_a_runner_may_have_of_its_own() {
    with_database(async |db| {
        let (pool, admin) = (db.pool(), Admin::new(&db.pool()));
        let mut running = Running::start_with(db, |runner| runner.slots(2).queue_limit("step", 1));
        Step::of(1, Action::Gate).enqueue(&pool).await.unwrap();
        running.ran().await;
        let waits = Step::succeed(2).enqueue(&pool).await.unwrap().id();
        while admin.queue("step").await.unwrap().unwrap().running != 1 {}
        let text = explained(&pool, waits).await;
        assert_eq!(
            text,
            "it is the next of its queue: it runs as soon as a runner comes to it, or, where its runners were given a \
             Runner::queue_limit for step, once fewer of its jobs run"
        );
        running.stop_now().await;
    })
    .await;
}

async fn until_gone(pool: &PgPool, job: JobId) {
    until(async || Admin::new(pool).job(job).await.unwrap().is_none()).await;
}
