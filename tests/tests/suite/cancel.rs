//! A job that somebody cancels ends once: cancelled, unless it had completed before.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pgq_postgres::{Admin, Cancelled, Context, Enqueue, Job, JobError, JobId, JobResult, Perform, Runner};
use pgq_tests::{
    Action, Running, Step, count, job, setting, states, until, until_asleep, until_state, with_database,
};
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgPool, query_as};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::worker::Worker;

/// Longer than a test may take: what happens before was not a heartbeat's doing.
const NEVER: Duration = Duration::from_secs(600);

/// Short, so that nobody waits long for a heartbeat or for the death of a runner to be certain.
const HEARTBEAT: Duration = Duration::from_millis(200);

fn ended(state: &str, attempts: i16, reason: Option<&str>) -> Option<(String, i16, Option<String>)> {
    Some((state.into(), attempts, reason.map(Into::into)))
}

#[tokio::test]
async fn a_waiting_job_is_cancelled_and_never_runs() {
    with_database(async |db| {
        let pool = db.pool();
        let admin = Admin::new(&pool);
        let mut cancelled = Vec::new();
        for (n, queue, priority) in
            [(1, "a", 0), (2, "step", -5), (3, "step", 0), (4, "step", 9), (5, "z", 0)]
        {
            for n in [n, n + 10] {
                let id = Step::succeed(n).queue(queue).priority(priority).enqueue(&pool).await.unwrap();
                if n < 10 {
                    cancelled.push(id);
                }
            }
        }
        cancelled.push(Step::succeed(6).after(NEVER).enqueue(&pool).await.unwrap());
        for id in &cancelled {
            assert_eq!(admin.cancel(*id).await.unwrap(), Cancelled::Waiting);
            assert_eq!(job(&pool, *id).await, ended("cancelled", 0, Some("cancelled while it waited")));
        }
        let mut running = Running::start_with(db, |runner| runner.queues(["a", "step", "z"]));
        let ran: Vec<i64> = running.ran_many(5).await.into_iter().map(|ran| ran.n).collect();
        assert_eq!(ran, [11, 12, 13, 14, 15], "all others run");
        let (_, rest) = running.stop().await;
        assert_eq!(rest, []);
        assert_eq!(states(&pool).await, [("cancelled".to_owned(), 6)]);
    })
    .await;
}

#[tokio::test]
async fn a_running_job_is_told_at_once() {
    with_database(async |db| {
        let pool = db.pool();
        let mut running =
            Running::start_with(db, |runner| runner.heartbeat_interval(NEVER).keep_completed(NEVER));
        until_asleep(&pool, 1).await;
        let elsewhere = PgPool::connect(db.url()).await.unwrap();
        for (n, from) in [(1, &pool), (2, &elsewhere)] {
            let id = Step::of(n, Action::UntilCancelled).enqueue(&pool).await.unwrap();
            running.ran().await;
            let asked = Instant::now();
            assert_eq!(Admin::new(from).cancel(id).await.unwrap(), Cancelled::Running);
            until_state(&pool, id, "completed").await;
            println!("told and completed after {:?}", asked.elapsed());
            assert_eq!(job(&pool, id).await, ended("completed", 1, None), "it returned Ok, so it completed");
        }
        running.stop().await;
    })
    .await;
}

/// In a process of its own: what holds a thread of a runtime may hold up all that waits for the network there, as the
/// listener does, and the test would.
#[tokio::test]
async fn a_job_that_computes_on_the_only_thread_is_told_by_the_next_heartbeat_if_it_asks() {
    with_database(async |db| {
        let pool = db.pool();
        let settings = [("HEARTBEAT_MS", "200"), ("TOKIO_WORKER_THREADS", "1")];
        let mut worker = Worker::start(db.url(), &[], &settings);
        // Fails if nobody tells it.
        let computes = Step::of(1, Action::Compute(Duration::from_secs(20)));
        let id = computes.retry_waits([]).enqueue(&pool).await.unwrap();
        worker.ran().await;
        let asked = Instant::now();
        assert_eq!(Admin::new(&pool).cancel(id).await.unwrap(), Cancelled::Running);
        while let Some((state, ..)) = job(&pool, id).await {
            assert_eq!(state, "running");
            tokio::task::yield_now().await;
        }
        println!("told and completed after {:?}", asked.elapsed());
        worker.signal("TERM");
        worker.ended().await;
    })
    .await;
}

#[tokio::test]
async fn a_job_that_runs_in_another_process_is_told_at_once() {
    with_database(async |db| {
        let pool = db.pool();
        let mut worker = Worker::start(db.url(), &[], &[("HEARTBEAT_MS", "600000")]);
        until_asleep(&pool, 1).await;
        let id = Step::of(1, Action::FailOnceCancelled).enqueue(&pool).await.unwrap();
        worker.ran().await;
        assert_eq!(Admin::new(&pool).cancel(id).await.unwrap(), Cancelled::Running);
        until_state(&pool, id, "cancelled").await;
        worker.signal("TERM");
        assert_eq!(worker.ended().await.0, Some(0));
    })
    .await;
}

#[tokio::test]
async fn without_notifications_a_running_job_is_told_by_a_heartbeat() {
    with_database(async |db| {
        let pool = db.pool();
        let mut running =
            Running::start_with(db, |runner| runner.without_notify().heartbeat_interval(HEARTBEAT));
        let id = Step::of(1, Action::UntilCancelled).enqueue(&pool).await.unwrap();
        running.ran().await;
        let asked = Instant::now();
        assert_eq!(Admin::new(&pool).cancel(id).await.unwrap(), Cancelled::Running);
        running.until(|counts| counts.completed == 1).await;
        println!("told and completed after {:?}", asked.elapsed());
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_job_that_fails_or_snoozes_is_not_tried_again() {
    with_database(async |db| {
        let pool = db.pool();
        let admin = Admin::new(&pool);
        let fails = Step::of(1, Action::FailOnceCancelled).enqueue(&pool).await.unwrap();
        let snoozes = Step::of(2, Action::SnoozeOnceCancelled).enqueue(&pool).await.unwrap();
        let mut running = Running::start_with(db, |runner| runner.heartbeat_interval(HEARTBEAT));
        running.ran_many(2).await;
        for id in [fails, snoozes] {
            assert_eq!(admin.cancel(id).await.unwrap(), Cancelled::Running);
            until_state(&pool, id, "cancelled").await;
        }
        let (_, rest) = running.stop().await;
        assert_eq!(rest, [], "neither ran again");
        assert_eq!(job(&pool, snoozes).await, ended("cancelled", 0, Some("cancelled while it ran")));
        assert_eq!(job(&pool, fails).await, ended("cancelled", 1, Some("cancelled while it ran")));
        let failures: Vec<(i64, String)> =
            query_as("select job_id, error from pgq.failures").fetch_all(&pool).await.unwrap();
        assert_eq!(failures, [(fails.id().0, "given up".to_owned())], "what failed is still on record");
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_job_that_never_returns_is_dropped_after_the_grace() {
    with_database(async |db| {
        let pool = db.pool();
        let id = Step::of(1, Action::Hang).enqueue(&pool).await.unwrap();
        let mut running = Running::start_with(db, |runner| {
            runner.slots(1).cancel_grace(Duration::from_millis(50)).heartbeat_interval(HEARTBEAT)
        });
        running.ran().await;
        assert_eq!(Admin::new(&pool).cancel(id).await.unwrap(), Cancelled::Running);
        until_state(&pool, id, "cancelled").await;
        Step::succeed(2).enqueue(&pool).await.unwrap();
        assert_eq!(running.ran().await.n, 2, "its slot is free");
        let (_, rest) = running.stop().await;
        assert_eq!(rest, []);
        assert_eq!(job(&pool, id).await, ended("cancelled", 0, Some("cancelled while it ran")));
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_job_does_not_come_back_when_its_runner_stops() {
    with_database(async |db| {
        let pool = db.pool();
        let id = Step::of(1, Action::Hang).enqueue(&pool).await.unwrap();
        let mut running = Running::start(db);
        running.ran().await;
        assert_eq!(Admin::new(&pool).cancel(id).await.unwrap(), Cancelled::Running);
        running.stop_now().await;
        assert_eq!(job(&pool, id).await, ended("cancelled", 0, Some("cancelled while it ran")));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_job_whose_runner_dies_ends_cancelled() {
    with_database(async |db| {
        let pool = db.pool();
        let id = Step::of(1, Action::Hang).enqueue(&pool).await.unwrap();
        let mut doomed = Worker::start(db.url(), &[], &[("HEARTBEAT_MS", "200")]);
        doomed.ran().await;
        assert_eq!(Admin::new(&pool).cancel(id).await.unwrap(), Cancelled::Running);
        doomed.signal("KILL");
        doomed.exited().await;
        let heir = Running::start_with(db, |runner| runner.heartbeat_interval(HEARTBEAT));
        until_state(&pool, id, "cancelled").await;
        let (_, rest) = heir.stop().await;
        assert_eq!(rest, [], "nobody ran it again");
        assert_eq!(job(&pool, id).await, ended("cancelled", 1, Some("cancelled while it ran")));
    })
    .await;
}

#[tokio::test]
async fn what_has_ended_or_never_was_is_gone() {
    with_database(async |db| {
        let pool = db.pool();
        let admin = Admin::new(&pool);
        let discarded = Step::of(1, Action::Discard).enqueue(&pool).await.unwrap().id();
        let kept = Step::succeed(2).enqueue(&pool).await.unwrap().id();
        let mut running = Running::start_with(db, |runner| runner.keep_completed(NEVER));
        running.ran_many(2).await;
        running.stop().await;
        let deleted = Step::succeed(3).enqueue(&pool).await.unwrap().id();
        let mut running = Running::start(db);
        running.ran().await;
        running.stop().await;
        let cancelled = Step::succeed(4).enqueue(&pool).await.unwrap().id();
        assert_eq!(admin.cancel(cancelled).await.unwrap(), Cancelled::Waiting);
        let never = [i64::MIN, -1, 0, deleted.0 + 100, i64::MAX].map(JobId);
        for id in [discarded, kept, deleted, cancelled].into_iter().chain(never) {
            assert_eq!(admin.cancel(id).await.unwrap(), Cancelled::Gone, "{id}");
        }
        let left = [("cancelled".to_owned(), 1), ("completed".to_owned(), 1), ("discarded".to_owned(), 1)];
        assert_eq!(states(&pool).await, left);
    })
    .await;
}

#[tokio::test]
async fn cancelling_twice_is_cancelling_once() {
    with_database(async |db| {
        let pool = db.pool();
        let admin = Admin::new(&pool);
        let id = Step::of(1, Action::Gate).enqueue(&pool).await.unwrap();
        let mut running = Running::start_with(db, |runner| runner.cancel_grace(NEVER).keep_completed(NEVER));
        running.ran().await;
        for _ in 0..3 {
            assert_eq!(admin.cancel(id).await.unwrap(), Cancelled::Running);
        }
        running.probe.open_gate(1);
        until_state(&pool, id, "completed").await;
        running.stop().await;
    })
    .await;
}

/// A job that is cancelled at the moment something else happens to it.
#[derive(Job)]
#[job(state = Race, retry_waits = [])]
struct Raced {
    n: usize,
}

/// What happens to a [`Raced`] at the moment it is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rival {
    /// Its handler returns Ok.
    Complete,
    /// Its handler fails, again and again, with no wait between.
    Retry,
    /// Its handler snoozes, again and again, for no time.
    Snooze,
    /// A runner claims it.
    Claim,
    /// It is promoted from scheduled to ready.
    Promote,
}

const RIVALS: [Rival; 5] = [Rival::Complete, Rival::Retry, Rival::Snooze, Rival::Claim, Rival::Promote];

#[derive(Clone, Default)]
struct Race(Arc<Mutex<HashMap<usize, Round>>>);

/// What the handler of one [`Raced`] knows.
#[derive(Clone)]
struct Round {
    rival: Rival,
    start: Arc<Barrier>,
    late: Duration,
    runs: u32,
}

impl Perform for Raced {
    async fn perform(&self, ctx: &Context<Race>) -> JobResult {
        let entry = {
            let mut jobs = ctx.state().0.lock().unwrap();
            let entry = jobs.get_mut(&self.n).expect("noted before it was enqueued");
            entry.runs += 1;
            entry.clone()
        };
        if entry.runs == 1 && matches!(entry.rival, Rival::Complete | Rival::Retry | Rival::Snooze) {
            entry.start.wait().await;
            tokio::time::sleep(entry.late).await;
        }
        match entry.rival {
            Rival::Retry => Err("again".into()),
            Rival::Snooze => Err(JobError::snooze(Duration::ZERO)),
            _ => Ok(()),
        }
    }
}

/// `PGQ_CANCEL_ROUNDS=10000 PGQ_TEST_SECONDS=600` for the long run; otherwise as many as fit into five seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_against_everything_else_has_one_end_each() {
    const WAVE: usize = 25;
    with_database(async |db| {
        // A connection for each cancel, so that none waits for another.
        let pool = PgPoolOptions::new().max_connections(WAVE as u32).connect(db.url()).await.unwrap();
        let race = Race::default();
        let runner = Runner::empty().register::<Raced>().state(race.clone()).pool(pool.clone());
        let runner = runner.without_signals().slots(2 * WAVE).keep_completed(NEVER);
        let handle = runner.handle();
        let running = tokio::spawn(runner.run());
        let wanted = usize::try_from(setting("PGQ_CANCEL_ROUNDS", 0)).unwrap();
        let started = Instant::now();
        let mut ends: BTreeMap<String, u32> = BTreeMap::new();
        let mut rounds = 0;
        while if wanted > 0 { rounds < wanted } else { started.elapsed() < Duration::from_secs(5) } {
            let answers = wave(&pool, &race, rounds..rounds + WAVE).await;
            rounds += WAVE;
            for (n, (id, answer)) in answers {
                let entry = race.0.lock().unwrap().remove(&n).unwrap();
                let rows: Vec<(String,)> = query_as("select state from pgq.jobs where id = $1")
                    .bind(id.0)
                    .fetch_all(&pool)
                    .await
                    .unwrap();
                assert_eq!(rows.len(), 1, "{:?} {n} is in one place: {rows:?}", entry.rival);
                let state = rows.into_iter().next().unwrap().0;
                check(entry.rival, entry.runs, answer, &state);
                *ends.entry(format!("{:?}: {answer:?}, {state}", entry.rival)).or_default() += 1;
            }
        }
        handle.stop();
        running.await.unwrap().unwrap();
        assert_eq!(count(&pool, "pgq.finished").await, i64::try_from(rounds).unwrap());
        assert_eq!((count(&pool, "pgq.jobs").await, handle.counts().database_errors), (rounds as i64, 0));
        println!("{rounds} rounds in {:?}:", started.elapsed());
        ends.iter().for_each(|(end, times)| println!("{times:6} {end}"));
    })
    .await;
}

/// Races that many jobs, waits until all have ended, and returns what the cancels were told.
async fn wave(
    pool: &PgPool,
    race: &Race,
    numbers: std::ops::Range<usize>,
) -> Vec<(usize, (JobId, Cancelled))> {
    let mut cancels = JoinSet::new();
    for n in numbers.clone() {
        let rival = RIVALS[n % RIVALS.len()];
        let start = Arc::new(Barrier::new(2));
        // One of the two comes up to ten milliseconds after the other; how many, varies with the round.
        let lead = n * 7919 % 20_001;
        let [late, cancel_late] = [10_000_usize.saturating_sub(lead), lead.saturating_sub(10_000)]
            .map(|late| Duration::from_micros(late as u64));
        race.0.lock().unwrap().insert(n, Round { rival, start: start.clone(), late, runs: 0 });
        let pool = pool.clone();
        cancels.spawn(async move {
            let raced = Raced { n }.to_enqueue().retry_waits([Duration::ZERO; 1]).max_attempts(i16::MAX);
            let id = match rival {
                Rival::Promote => raced.after(late).enqueue(&pool).await.unwrap(),
                _ => raced.enqueue(&pool).await.unwrap(),
            };
            let id = id.id();
            if matches!(rival, Rival::Complete | Rival::Retry | Rival::Snooze) {
                start.wait().await;
            }
            if rival != Rival::Claim {
                tokio::time::sleep(cancel_late).await;
            }
            let answer = Admin::new(&pool).cancel(id).await.unwrap();
            // Neither ever ends by itself: the wave would wait for ever.
            let endless = matches!(rival, Rival::Retry | Rival::Snooze);
            assert!(!endless || answer != Cancelled::Gone, "{rival:?} {n} was not found");
            (n, (id, answer))
        });
    }
    let answers = cancels.join_all().await;
    until(async || count(pool, "pgq.finished").await >= i64::try_from(numbers.end).unwrap()).await;
    answers
}

fn check(rival: Rival, runs: u32, answer: Cancelled, state: &str) {
    let told = format!("{rival:?}: {answer:?}, {state} after {runs} runs");
    match (rival, answer) {
        (Rival::Retry | Rival::Snooze, _) => assert_eq!(state, "cancelled", "{told}"),
        (_, Cancelled::Waiting) => assert_eq!((state, runs), ("cancelled", 0), "{told}"),
        (_, Cancelled::Running | Cancelled::Gone) => assert_eq!((state, runs), ("completed", 1), "{told}"),
        (_, _) => panic!("{told}"),
    }
}
