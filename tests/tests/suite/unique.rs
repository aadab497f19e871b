//! Of unique jobs with one key there is one at a time.

use std::collections::HashMap;
use std::time::Duration;

use pgq_postgres::admin::Changed;
use pgq_postgres::{Admin, Enqueue, Enqueued, Error, JobId, OnConflict, ToEnqueue, Unique, enqueue_all};
use pgq_tests::{Action, Running, Step, count, job, states, until, until_locked, until_state, with_database};
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgPool, query_scalar};
use tokio::task::JoinSet;

use crate::worker::Worker;

const HOUR: Duration = Duration::from_secs(3600);

fn one(step: Step, unique: Unique) -> ToEnqueue<Step> {
    one_of("the key", step, unique)
}

pub(crate) fn one_of(key: &str, step: Step, unique: Unique) -> ToEnqueue<Step> {
    step.to_enqueue().unique_by(unique, key).unwrap()
}

pub(crate) async fn keys(pool: &PgPool) -> i64 {
    count(pool, "pgq.unique_keys").await
}

#[tokio::test]
async fn the_first_is_made_and_the_second_is_told_of_it() {
    with_database(async |db| {
        let pool = db.pool();
        let unique = Unique::while_unfinished();
        let first = one(Step::succeed(1), unique).enqueue(&pool).await.unwrap();
        assert!(first.is_new());
        let second = one(Step::succeed(2), unique).enqueue(&pool).await.unwrap();
        assert_eq!(second, Enqueued::Existing(first.id()));
        assert!(one_of("another key", Step::succeed(3), unique).enqueue(&pool).await.unwrap().is_new());
        assert!(Step::succeed(4).enqueue(&pool).await.unwrap().is_new());
        assert!(one(Step::succeed(5), unique).not_unique().enqueue(&pool).await.unwrap().is_new());
        let fails = one(Step::succeed(6), unique.on_conflict(OnConflict::Error)).enqueue(&pool).await;
        let error = fails.unwrap_err();
        assert!(matches!(error, Error::Duplicate { kind: "step", job } if job == first.id()), "{error:?}");
        assert_eq!(error.to_string(), format!("job {} holds the key of this unique step job", first.id()));
        let mut running = Running::start(db);
        let ran: Vec<i64> = running.ran_many(4).await.iter().map(|ran| ran.n).collect();
        assert_eq!(ran, [1, 3, 4, 5]);
        running.stop().await;
        assert_eq!(keys(&pool).await, 0);
        assert!(one(Step::succeed(7), unique).enqueue(&pool).await.unwrap().is_new(), "the first has ended");
    })
    .await;
}

#[tokio::test]
async fn what_rolls_back_holds_no_key() {
    with_database(async |db| {
        let pool = db.pool();
        let unique = Unique::while_unfinished();
        let mut tx = pool.begin().await.unwrap();
        one(Step::succeed(1), unique).enqueue(&mut *tx).await.unwrap();
        tx.rollback().await.unwrap();
        let mut tx = pool.begin().await.unwrap();
        let made = one(Step::succeed(2), unique).enqueue(&mut *tx).await.unwrap();
        assert!(made.is_new());
        // Another one waits for what becomes of the first.
        let waits = tokio::spawn({
            let pool = pool.clone();
            async move { one(Step::succeed(3), unique).enqueue(&pool).await.unwrap() }
        });
        until_locked(&pool, 1).await;
        assert!(!waits.is_finished());
        tx.commit().await.unwrap();
        assert_eq!(waits.await.unwrap(), Enqueued::Existing(made.id()));
    })
    .await;
}

#[tokio::test]
async fn a_key_is_held_until_the_job_ends_however_it_ends() {
    with_database(async |db| {
        let pool = db.pool();
        let unique = Unique::while_unfinished();
        let admin = Admin::new(&pool);
        let ends = [
            ("completes", Action::Succeed, None),
            ("fails twice", Action::FailUntil(2), None),
            ("snoozes", Action::SnoozeOnce(Duration::ZERO), None),
            ("is discarded", Action::Discard, Some("discarded")),
            ("fails for good", Action::InTurn(vec![Action::Fail("no".into()); 2]), Some("discarded")),
        ];
        for (key, action, end) in ends {
            let step = one_of(key, Step::of(1, Action::Gated(Box::new(action))), unique)
                .retry_waits([Duration::ZERO]);
            let id = step.enqueue(&pool).await.unwrap().id();
            let mut running = Running::start(db);
            running.ran().await;
            let again = one_of(key, Step::succeed(2), unique).enqueue(&pool).await.unwrap();
            assert_eq!(again, Enqueued::Existing(id), "{key}");
            running.probe.open_gate(3);
            match end {
                Some(state) => until_state(&pool, id, state).await,
                None => until(async || job(&pool, id).await.is_none()).await,
            }
            running.stop().await;
            assert_eq!(keys(&pool).await, 0, "{key}");
        }
        let waits = one(Step::succeed(1), unique).enqueue(&pool).await.unwrap();
        admin.cancel(waits).await.unwrap();
        assert_eq!(keys(&pool).await, 0);
        let runs = one(Step::of(1, Action::UntilCancelled), unique).enqueue(&pool).await.unwrap();
        let mut running = Running::start_with(db, |runner| runner.keep_completed(HOUR));
        running.ran().await;
        admin.cancel(runs).await.unwrap();
        until_state(&pool, runs, "completed").await;
        running.stop().await;
        assert_eq!(keys(&pool).await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_outlives_a_crash_and_a_shutdown_and_ends_with_the_last_crash() {
    with_database(async |db| {
        let pool = db.pool();
        let unique = Unique::while_unfinished();
        let id = one(Step::of(1, Action::Hang), unique).enqueue(&pool).await.unwrap().id();
        let settings = [("HEARTBEAT_MS", "200")];
        let mut stopped = Worker::start(db.url(), &[], &settings);
        stopped.ran().await;
        stopped.signal("TERM");
        stopped.signal("TERM");
        stopped.ended().await;
        assert_eq!(states(&pool).await, [("ready".to_owned(), 1)]);
        for crash in 1..=3 {
            let mut doomed = Worker::start(db.url(), &[], &settings);
            doomed.ran().await;
            let again = one(Step::succeed(2), unique).enqueue(&pool).await.unwrap();
            assert_eq!(again, Enqueued::Existing(id), "crash {crash}");
            doomed.signal("KILL");
            doomed.exited().await;
        }
        let rescuer = Running::start_with(db, |runner| {
            runner.heartbeat_interval(Duration::from_millis(200)).queues(["other"])
        });
        until_state(&pool, id, "discarded").await;
        rescuer.stop().await;
        assert_eq!(keys(&pool).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_held_while_queued_is_free_once_the_job_begins() {
    with_database(async |db| {
        let pool = db.pool();
        let unique = Unique::while_queued();
        let mut running = Running::start(db);
        let snoozes = Action::Gated(Box::new(Action::SnoozeOnce(HOUR)));
        let first = one(Step::of(1, snoozes), unique).enqueue(&pool).await.unwrap();
        running.ran().await;
        let second = one(Step::of(2, Action::Gate), unique).enqueue(&pool).await.unwrap();
        assert!(second.is_new());
        running.ran().await;
        // The second has begun, too; a third waits, and the first comes back beside it.
        let third = one(Step::succeed(3), unique).after(HOUR).enqueue(&pool).await.unwrap();
        assert!(third.is_new());
        let fourth = one(Step::succeed(4), unique).enqueue(&pool).await.unwrap();
        assert_eq!(fourth, Enqueued::Existing(third.id()));
        running.probe.open_gate(2);
        until_state(&pool, first, "scheduled").await;
        running.stop().await;
        assert_eq!(states(&pool).await, [("scheduled".to_owned(), 2)]);
        assert_eq!(keys(&pool).await, 1);
    })
    .await;
}

#[tokio::test]
async fn replace_gives_the_waiting_job_its_payload_and_debounce_its_time() {
    with_database(async |db| {
        let pool = db.pool();
        let replace = Unique::while_unfinished().on_conflict(OnConflict::Replace);
        let debounce = Unique::while_unfinished().on_conflict(OnConflict::Debounce);
        let long = Step::of(3, Action::Fail("long ".repeat(1000)));
        let id = one(Step::succeed(1), replace).enqueue(&pool).await.unwrap().id();
        for (step, bodies) in [(Step::succeed(2), 0), (long.clone(), 1), (long, 1), (Step::succeed(4), 0)] {
            assert_eq!(one(step, replace).enqueue(&pool).await.unwrap(), Enqueued::Replaced(id));
            assert_eq!(count(&pool, "pgq.payloads").await, bodies);
        }
        let later = one(Step::succeed(5), debounce).after(HOUR).enqueue(&pool).await.unwrap();
        assert_eq!(later, Enqueued::Moved(id));
        assert_eq!(states(&pool).await, [("scheduled".to_owned(), 1)]);
        assert_eq!(one(Step::succeed(6), replace).enqueue(&pool).await.unwrap(), Enqueued::Replaced(id));
        assert_eq!(states(&pool).await, [("scheduled".to_owned(), 1)], "its time stays");
        let mut running = Running::start(db);
        pgq_tests::until_asleep(&pool, 1).await;
        assert_eq!(one(Step::succeed(7), debounce).enqueue(&pool).await.unwrap(), Enqueued::Moved(id));
        assert_eq!(running.ran().await.n, 6, "it was moved to now, and keeps its payload");
        running.stop().await;
        assert_eq!(count(&pool, "pgq.jobs").await + keys(&pool).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_job_that_runs_is_neither_replaced_nor_moved() {
    with_database(async |db| {
        let pool = db.pool();
        let mut running = Running::start(db);
        let unique = Unique::while_unfinished();
        let id = one(Step::of(1, Action::Gate), unique).enqueue(&pool).await.unwrap().id();
        running.ran().await;
        for conflict in [OnConflict::Replace, OnConflict::Debounce] {
            let again =
                one(Step::succeed(2), unique.on_conflict(conflict)).after(HOUR).enqueue(&pool).await.unwrap();
            assert_eq!(again, Enqueued::Existing(id));
        }
        running.probe.open_gate(1);
        let (counts, rest) = running.stop().await;
        assert_eq!((counts.completed, rest), (1, vec![]));
    })
    .await;
}

#[tokio::test]
async fn after_its_period_a_key_is_free_and_the_old_job_stays() {
    with_database(async |db| {
        let pool = db.pool();
        let unique = Unique::while_unfinished().period(HOUR);
        let first = one(Step::succeed(1), unique).after(2 * HOUR).enqueue(&pool).await.unwrap();
        assert_eq!(
            one(Step::succeed(2), unique).enqueue(&pool).await.unwrap(),
            Enqueued::Existing(first.id())
        );
        let passes = "update pgq.unique_keys set expires_at = expires_at - interval '1 hour'";
        sqlx::query(passes).execute(&pool).await.unwrap();
        let second = one(Step::succeed(3), unique).after(2 * HOUR).enqueue(&pool).await.unwrap();
        assert!(second.is_new());
        Admin::new(&pool).cancel(first).await.unwrap();
        assert_eq!(keys(&pool).await, 1, "the key is the second's");
        assert_eq!(
            one(Step::succeed(4), unique).enqueue(&pool).await.unwrap(),
            Enqueued::Existing(second.id())
        );
        assert_eq!(Admin::new(&pool).retry(first.id()).await.unwrap(), Changed::KeyTaken);
        sqlx::query(passes).execute(&pool).await.unwrap();
        assert_eq!(Admin::new(&pool).retry(first.id()).await.unwrap(), Changed::Done);
        let holders: Vec<i64> =
            query_scalar("select job_id from pgq.unique_keys").fetch_all(&pool).await.unwrap();
        assert_eq!(holders, [first.id().0], "the first has it back");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enqueue_that_finds_a_duplicate_holds_nobody_up() {
    with_database(async |db| {
        let pool = db.pool();
        let unique = Unique::while_unfinished();
        let mut running = Running::start(db);
        one(Step::of(1, Action::Gate), unique).enqueue(&pool).await.unwrap();
        running.ran().await;
        let mut tx = pool.begin().await.unwrap();
        assert!(!one(Step::succeed(2), unique).enqueue(&mut *tx).await.unwrap().is_new());
        running.probe.open_gate(1);
        let (counts, _) = running.stop().await;
        assert_eq!(counts.completed, 1);
        assert_eq!(
            count(&pool, "pgq.jobs").await + keys(&pool).await,
            0,
            "while the transaction is still open"
        );
        tx.rollback().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_enqueuers_of_1000_keys_1000_jobs_are_made() {
    with_database(async |db| {
        let pool = PgPoolOptions::new().max_connections(32).connect(db.url()).await.unwrap();
        let mut enqueuers = JoinSet::new();
        for enqueuer in 0..64_usize {
            let pool = pool.clone();
            enqueuers.spawn(async move {
                let mut answers = Vec::new();
                for n in 0..1000 {
                    // Each in an order of its own.
                    let n = (n * 7 + enqueuer * 131) % 1000;
                    let step = one_of(&n.to_string(), Step::succeed(n as i64), Unique::while_unfinished());
                    answers.push((n, step.enqueue(&pool).await.unwrap()));
                }
                answers
            });
        }
        let answers: Vec<(usize, Enqueued)> = enqueuers.join_all().await.into_iter().flatten().collect();
        let made: HashMap<usize, JobId> = answers
            .iter()
            .filter(|(_, answer)| answer.is_new())
            .map(|(n, answer)| (*n, answer.id()))
            .collect();
        assert_eq!(answers.iter().filter(|(_, answer)| answer.is_new()).count(), 1000);
        assert!(answers.iter().all(|(n, answer)| made[n] == answer.id()), "all agree on who holds a key");
        assert_eq!((count(&pool, "pgq.ready").await, keys(&pool).await), (1000, 1000));
        let running = Running::start(db);
        running.until(|counts| counts.completed == 1000).await;
        running.stop().await;
        assert_eq!(count(&pool, "pgq.jobs").await + keys(&pool).await, 0);
    })
    .await;
}

#[tokio::test]
async fn in_bulk_duplicates_are_told_item_by_item() {
    with_database(async |db| {
        let pool = db.pool();
        let unique = Unique::while_unfinished();
        let there = one_of("b", Step::succeed(0), unique).enqueue(&pool).await.unwrap();
        let jobs = vec![
            one_of("a", Step::succeed(1), unique).prepare().unwrap(),
            Step::succeed(2).prepare().unwrap(),
            one_of("b", Step::succeed(3), unique).prepare().unwrap(),
            one_of("a", Step::succeed(4), unique).prepare().unwrap(),
            Step::succeed(5).prepare().unwrap(),
        ];
        let answers = enqueue_all(&pool, jobs.clone()).await.unwrap();
        assert!(answers[0].is_new() && answers[1].is_new() && answers[4].is_new(), "{answers:?}");
        assert_eq!(answers[2], Enqueued::Existing(there.id()));
        assert_eq!(answers[3], Enqueued::Existing(answers[0].id()));
        let fails = one_of("a", Step::succeed(6), unique.on_conflict(OnConflict::Error)).prepare().unwrap();
        let error = enqueue_all(&pool, jobs.into_iter().chain([fails])).await.unwrap_err();
        assert!(matches!(error, Error::Duplicate { .. }), "{error:?}");
        assert_eq!(count(&pool, "pgq.jobs").await, 4, "all or none");
    })
    .await;
}
