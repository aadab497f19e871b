//! What a handler writes in the transaction that completes its job happens exactly once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pgq_devdb::Database;
use pgq_postgres::{
    Attempt, Context, DatabaseContext, Enqueue, Error, Job, JobError, JobId, JobResult, Perform, Run, Runner,
    RunnerCounts,
};
use pgq_tests::{Effect, count, job, setting, states, until_state, with_database};
use serde::{Deserialize, Serialize};
use sqlx::{Executor, PgPool, query, query_as, query_scalar};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::worker::Worker;

/// Longer than a test may take.
const NEVER: Duration = Duration::from_secs(600);

/// Writes a row, and ends as it is told.
#[derive(Job)]
#[job(transactional, state = Teller, retry_waits = ["1h"])]
struct Charge {
    then: Then,
    note: String,
}

/// The same on a lease that is shared with others.
#[derive(Job)]
#[job(state = Teller, retry_waits = ["1h"])]
struct Shared {}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Then {
    Complete,
    /// Waits at the gate before it completes.
    WaitAndComplete,
    /// Fails at the first attempt, after it has written, and completes at the next.
    FailFirst,
    CompleteAndFail,
    CompleteAndDiscard,
    CompleteAndSnooze,
    CompleteAndPanic,
    CompleteAndHang,
}

#[derive(Clone)]
struct Teller {
    gate: Arc<Semaphore>,
    /// What `complete_in` said.
    told: UnboundedSender<Result<(), Error>>,
}

async fn write(ctx: &Context<Teller>) -> Result<sqlx::Transaction<'static, sqlx::Postgres>, Error> {
    let mut tx = ctx.begin().await?;
    query("insert into effects (n, attempt) values ($1, $2)")
        .bind(ctx.id().0)
        .bind(ctx.attempt())
        .execute(&mut *tx)
        .await?;
    Ok(tx)
}

impl Perform for Charge {
    async fn perform(&self, ctx: &Context<Teller>) -> JobResult {
        let teller = ctx.state();
        let tx = write(ctx).await?;
        match self.then {
            Then::WaitAndComplete => teller.gate.acquire().await?.forget(),
            Then::FailFirst if ctx.attempt() == 1 => {
                return Err(JobError::retry_in(Duration::ZERO, "not yet"));
            }
            _ => {}
        }
        let completed = ctx.complete_in(tx).await;
        let failed = completed.is_err();
        teller.told.send(completed).unwrap();
        match self.then {
            _ if failed => Err("it said so".into()),
            Then::CompleteAndFail => Err("too late".into()),
            Then::CompleteAndDiscard => Err(JobError::discard("too late")),
            Then::CompleteAndSnooze => Err(JobError::snooze(Duration::ZERO)),
            Then::CompleteAndPanic => panic!("too late"),
            Then::CompleteAndHang => std::future::pending().await,
            Then::Complete | Then::WaitAndComplete | Then::FailFirst => Ok(()),
        }
    }
}

impl Perform for Shared {
    async fn perform(&self, ctx: &Context<Teller>) -> JobResult {
        let tx = write(ctx).await?;
        ctx.state().told.send(ctx.complete_in(tx).await).unwrap();
        Ok(())
    }
}

/// A runner of these jobs.
struct Bank {
    handle: pgq_postgres::RunnerHandle,
    teller: Teller,
    told: UnboundedReceiver<Result<(), Error>>,
    runner: tokio::task::JoinHandle<Result<(), Error>>,
}

impl Bank {
    async fn open(db: &Database, settings: impl FnOnce(Runner) -> Runner) -> Self {
        db.pool()
            .execute("create table effects (n bigint not null, attempt smallint not null)")
            .await
            .unwrap();
        let (told_to, told) = unbounded_channel();
        let teller = Teller { gate: Arc::new(Semaphore::new(0)), told: told_to };
        let runner = Runner::empty().register::<Charge>().register::<Shared>().state(teller.clone());
        let runner = settings(runner.pool(db.pool()).without_signals());
        let handle = runner.handle();
        Self { handle, teller, told, runner: tokio::spawn(runner.run()) }
    }

    /// What the next `complete_in` said.
    async fn told(&mut self) -> Result<(), Error> {
        self.told.recv().await.expect("the runner ended before")
    }

    async fn close(self) -> RunnerCounts {
        self.handle.stop();
        self.runner.await.unwrap().unwrap();
        self.handle.counts()
    }
}

async fn charge(pool: &PgPool, then: Then) -> JobId {
    Charge { then, note: String::new() }.enqueue(pool).await.unwrap().id()
}

#[tokio::test]
async fn the_effect_and_the_completion_appear_together() {
    with_database(async |db| {
        let pool = db.pool();
        let mut bank = Bank::open(db, |runner| runner).await;
        let id = charge(&pool, Then::WaitAndComplete).await;
        until_state(&pool, id, "running").await;
        assert_eq!(count(&pool, "effects").await, 0);
        bank.teller.gate.add_permits(1);
        // Both or neither, at any moment: one statement sees one moment.
        let both = "select (select count(*) from pgq.jobs), (select count(*) from effects)";
        loop {
            let seen: (i64, i64) = query_as(both).fetch_one(&pool).await.unwrap();
            assert!(seen == (1, 0) || seen == (0, 1), "{seen:?}");
            if seen == (0, 1) {
                break;
            }
        }
        bank.told().await.unwrap();
        let counts = bank.close().await;
        assert_eq!((counts.completed, counts.lease_lost), (1, 0));
    })
    .await;
}

#[tokio::test]
async fn an_attempt_that_fails_leaves_no_effect_and_the_next_leaves_one() {
    with_database(async |db| {
        let pool = db.pool();
        let mut bank = Bank::open(db, |runner| runner).await;
        let note = "x".repeat(5000);
        Charge { then: Then::FailFirst, note }.enqueue(&pool).await.unwrap();
        bank.told().await.unwrap();
        let counts = bank.close().await;
        assert_eq!((counts.retried, counts.completed), (1, 1));
        let effects: Vec<i16> = query_scalar("select attempt from effects").fetch_all(&pool).await.unwrap();
        assert_eq!(effects, [2]);
        for table in ["pgq.jobs", "pgq.leases", "pgq.payloads", "pgq.failures"] {
            assert_eq!(count(&pool, table).await, 0, "{table}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_lost_lease_takes_the_effect_with_it() {
    with_database(async |db| {
        let pool = db.pool();
        let mut bank = Bank::open(db, |runner| runner).await;
        let id = charge(&pool, Then::WaitAndComplete).await;
        until_state(&pool, id, "running").await;
        // What a rescuer does while this runner does not notice.
        pool.execute(
            "with l as (delete from pgq.leases returning *) insert into pgq.ready (id, shape, priority, version, \
             attempts, max_attempts, queue, kind, payload) select ids[1], shape, priority, version, 1, \
             max_attempts[1], 'elsewhere', kind, payloads[1] from l",
        )
        .await
        .unwrap();
        bank.teller.gate.add_permits(1);
        let told = bank.told().await.unwrap_err();
        assert!(matches!(told, Error::LeaseLost), "{told}");
        let counts = bank.close().await;
        assert_eq!((counts.completed, counts.lease_lost), (0, 1));
        assert_eq!(count(&pool, "effects").await, 0);
        assert_eq!(job(&pool, id).await.unwrap(), ("ready".into(), 1, None), "it belongs to whoever took it");
    })
    .await;
}

#[tokio::test]
async fn a_type_that_shares_leases_cannot_complete_in_a_transaction() {
    with_database(async |db| {
        let pool = db.pool();
        let mut bank = Bank::open(db, |runner| runner.keep_completed(NEVER)).await;
        let id = Shared {}.enqueue(&pool).await.unwrap();
        let told = bank.told().await.unwrap_err();
        assert!(matches!(told, Error::NotTransactional), "{told}");
        assert!(told.to_string().contains("put #[job(transactional)] on its type"), "{told}");
        bank.close().await;
        assert_eq!(count(&pool, "effects").await, 0, "the transaction was rolled back");
        assert_eq!(job(&pool, id).await.unwrap().0, "completed", "the handler's own word still counts");
    })
    .await;
}

#[tokio::test]
async fn what_the_handler_returns_after_completing_changes_nothing() {
    with_database(async |db| {
        let pool = db.pool();
        let mut bank = Bank::open(db, |runner| {
            runner.timeout(Duration::from_millis(500)).cancel_grace(Duration::from_millis(10))
        })
        .await;
        let ends = [
            Then::Complete,
            Then::CompleteAndFail,
            Then::CompleteAndDiscard,
            Then::CompleteAndSnooze,
            Then::CompleteAndPanic,
            Then::CompleteAndHang,
        ];
        for then in ends {
            charge(&pool, then).await;
            bank.told().await.unwrap();
        }
        let counts = bank.close().await;
        assert_eq!(counts.completed, 6);
        let others = (counts.retried, counts.snoozed, counts.discarded, counts.released, counts.lease_lost);
        assert_eq!(others, (0, 0, 0, 0, 0));
        assert_eq!(count(&pool, "effects").await, 6);
        assert_eq!((count(&pool, "pgq.jobs").await, count(&pool, "pgq.failures").await), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_handler_that_hangs_after_completing_has_completed() {
    with_database(async |db| {
        let pool = db.pool();
        let mut bank = Bank::open(db, |runner| runner).await;
        charge(&pool, Then::CompleteAndHang).await;
        bank.told().await.unwrap();
        bank.handle.stop_now();
        let counts = bank.close().await;
        assert_eq!((counts.completed, counts.released, counts.lease_lost), (1, 0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_job_that_completed_in_its_transaction_is_kept_on_request() {
    with_database(async |db| {
        let pool = db.pool();
        let mut bank = Bank::open(db, |runner| runner.keep_completed(NEVER)).await;
        let small = charge(&pool, Then::Complete).await;
        let note = "x".repeat(5000);
        let large = Charge { then: Then::FailFirst, note }.enqueue(&pool).await.unwrap();
        bank.told().await.unwrap();
        bank.told().await.unwrap();
        bank.close().await;
        assert_eq!(job(&pool, small).await.unwrap(), ("completed".into(), 1, None));
        assert_eq!(job(&pool, large).await.unwrap(), ("completed".into(), 2, None));
        let kept: (i64, i64) = (count(&pool, "pgq.payloads").await, count(&pool, "pgq.failures").await);
        assert_eq!(kept, (1, 1), "its body and its history too");
    })
    .await;
}

#[tokio::test]
async fn outside_of_a_runner_there_is_no_database() {
    let run = Run::detached(Attempt::first(JobId(1), "charge"));
    let context = Context::new(Arc::new(()), run);
    assert!(matches!(context.pool(), Err(Error::NoRunner)));
    assert!(matches!(context.begin().await, Err(Error::NoRunner)));
}

/// How many jobs are added at a time, for each kill and as often as the next victim has nothing to do.
const JOBS_AT_A_TIME: i64 = 100;

/// `PGQ_KILLS=200 PGQ_TEST_SECONDS=900` for the long run; `PGQ_SEED` repeats one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_killed_at_random_moments_leave_every_effect_exactly_once() {
    with_database(async |db| {
        let pool = db.pool();
        let kills = setting("PGQ_KILLS", 20);
        let seed = setting("PGQ_SEED", u64::from(std::process::id()));
        println!("{kills} kills, seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        pool.execute("create table effects (n bigint not null, attempt smallint not null)").await.unwrap();
        let started = Instant::now();
        let start = || Worker::start(db.url(), &[], &[("HEARTBEAT_MS", "150"), ("SLOTS", "6")]);
        let mut workers = [start(), start()];
        let mut jobs = 0;
        for kill in 0..kills {
            let victim = &mut workers[usize::try_from(kill % 2).unwrap()];
            loop {
                enqueue_effects(&pool, jobs..jobs + JOBS_AT_A_TIME).await;
                jobs += JOBS_AT_A_TIME;
                tokio::select! {
                    _ = victim.ran() => break,
                    () = tokio::time::sleep(Duration::from_millis(100)) => {}
                }
            }
            // Anywhere between a claim and a commit.
            tokio::time::sleep(Duration::from_micros(random.u64(0..40_000))).await;
            victim.signal("KILL");
            std::mem::replace(victim, start()).exited().await;
        }
        let [mut one, mut two] = workers;
        tokio::select! {
            () = until_all_ended(&pool) => {}
            // Their reports are not waited for, but a full pipe would stop them.
            () = async { loop { one.ran().await; } } => {}
            () = async { loop { two.ran().await; } } => {}
        }
        let (effects, distinct, again): (i64, i64, i64) =
            query_as("select count(*), count(distinct n), count(*) filter (where attempt > 1) from effects")
                .fetch_one(&pool)
                .await
                .unwrap();
        println!("{jobs} jobs, {again} of them aboard a kill, in {:?}", started.elapsed());
        assert_eq!((effects, distinct), (jobs, jobs), "every effect exactly once; seed {seed}");
        assert!(again > 0, "the kills hit something");
    })
    .await;
}

async fn enqueue_effects(pool: &PgPool, numbers: std::ops::Range<i64>) {
    let mut tx = pool.begin().await.unwrap();
    for n in numbers {
        let effect = Effect { n }.retry_waits([Duration::ZERO]).max_attempts(1000);
        effect.enqueue(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// A job that was aboard three kills is discarded, without its effect; as an operator would, it is put back.
async fn until_all_ended(pool: &PgPool) {
    loop {
        let states = states(pool).await;
        if states.is_empty() {
            return;
        }
        if states.iter().all(|(state, _)| state == "discarded") {
            println!("discarded after three kills: {states:?}");
            pool.execute(
                "with d as (delete from pgq.finished where reason like 'its runner died 3 times%' returning *) \
                 insert into pgq.ready (id, shape, priority, version, max_attempts, queue, kind, payload, options) \
                 select id, shape, priority, version, max_attempts, queue, kind, payload, options from d",
            )
            .await
            .unwrap();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
