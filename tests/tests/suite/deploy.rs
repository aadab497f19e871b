//! Old and new programs side by side: each runs what it knows, and leaves the rest untouched.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pgq_postgres::{Context, Enqueue, Job, JobResult, Perform, Runner, RunnerHandle};
use pgq_tests::{Action, Running, Step, count, until, with_database};
use sqlx::{PgPool, query_as};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

/// Says which program ran it.
type Reports = UnboundedSender<&'static str>;

/// The job as the old program knows it.
#[derive(Job, serde::Serialize, serde::Deserialize)]
#[job(kind = "ship", queue = "shop", state = Reports)]
struct OldShip {
    order: i64,
}

/// The same in the new program, with a newer payload.
#[derive(Job)]
#[job(kind = "ship", queue = "shop", state = Reports, version = 2, upcast_from = OldShip, enqueue_only)]
struct NewShip(OldShip);

impl From<OldShip> for NewShip {
    fn from(old: OldShip) -> Self {
        Self(old)
    }
}

/// A kind that only the new program has.
#[derive(Job)]
#[job(queue = "shop", state = Reports)]
struct Invoice {
    order: i64,
}

impl Perform for OldShip {
    async fn perform(&self, ctx: &Context<Reports>) -> JobResult {
        assert!(self.order < NEW, "order {} has a newer payload", self.order);
        Ok(ctx.state().send("old ship")?)
    }
}

impl Perform for NewShip {
    async fn perform(&self, ctx: &Context<Reports>) -> JobResult {
        let what = if self.0.order < NEW { "old ship by the new program" } else { "new ship" };
        Ok(ctx.state().send(what)?)
    }
}

impl Perform for Invoice {
    async fn perform(&self, ctx: &Context<Reports>) -> JobResult {
        assert!(self.order >= NEW, "order {} is older than invoices", self.order);
        Ok(ctx.state().send("invoice")?)
    }
}

/// Orders from here on were made by the new program.
const NEW: i64 = 1000;

struct Program {
    handle: RunnerHandle,
    reports: UnboundedReceiver<&'static str>,
    runner: JoinHandle<Result<(), pgq_postgres::Error>>,
}

impl Program {
    fn start(pool: &PgPool, kinds: impl FnOnce(Runner) -> Runner) -> Self {
        let (to, reports) = unbounded_channel();
        let runner = kinds(Runner::empty()).state(to).pool(pool.clone()).without_signals();
        let handle = runner.handle();
        Self { handle, reports, runner: tokio::spawn(runner.run()) }
    }

    fn old(pool: &PgPool) -> Self {
        Self::start(pool, |runner| runner.register::<OldShip>())
    }

    fn new(pool: &PgPool) -> Self {
        Self::start(pool, |runner| runner.register::<NewShip>().register::<Invoice>())
    }

    async fn reports(&mut self, number: usize) -> Vec<&'static str> {
        let mut reports = Vec::new();
        while reports.len() < number {
            reports.push(self.reports.recv().await.expect("the runner ended before"));
        }
        reports.sort_unstable();
        reports
    }

    /// What it ran that was not yet asked for.
    async fn stop(mut self) -> Vec<&'static str> {
        self.handle.stop();
        self.runner.await.unwrap().unwrap();
        let mut rest = Vec::new();
        while let Ok(report) = self.reports.try_recv() {
            rest.push(report);
        }
        rest.sort_unstable();
        rest
    }
}

async fn enqueue_all(pool: &PgPool, orders: i64) {
    let mut tx = pool.begin().await.unwrap();
    for order in 0..orders {
        // What the old program does not know comes first in the queue.
        NewShip(OldShip { order: NEW + order }).priority(-1).enqueue(&mut *tx).await.unwrap();
        Invoice { order: NEW + order }.priority(-1).enqueue(&mut *tx).await.unwrap();
        OldShip { order }.enqueue(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn what_an_old_program_does_not_know_waits_untouched_for_the_new_one() {
    with_database(async |db| {
        let pool = db.pool();
        enqueue_all(&pool, 3).await;
        let untouched = "select id, kind, version, attempts, crashes, payload from pgq.ready \
                         where version = 2 or kind = 'invoice' order by id";
        type Row = (i64, String, i16, i16, i16, Vec<u8>);
        let before: Vec<Row> = query_as(untouched).fetch_all(&pool).await.unwrap();
        let mut old = Program::old(&pool);
        assert_eq!(old.reports(3).await, ["old ship"; 3]);
        assert_eq!(old.stop().await, [""; 0]);
        let after: Vec<Row> = query_as(untouched).fetch_all(&pool).await.unwrap();
        assert_eq!((before.len(), &before), (6, &after), "untouched");
        let mut new = Program::new(&pool);
        let expected = ["invoice", "invoice", "invoice", "new ship", "new ship", "new ship"];
        assert_eq!(new.reports(6).await, expected);
        new.stop().await;
        assert_eq!(count(&pool, "pgq.jobs").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_and_new_programs_work_side_by_side() {
    with_database(async |db| {
        let pool = db.pool();
        let (old, new) = (Program::old(&pool), Program::new(&pool));
        for _ in 0..5 {
            enqueue_all(&pool, 60).await;
        }
        until(async || count(&pool, "pgq.jobs").await == 0).await;
        let (old, new) = (old.stop().await, new.stop().await);
        let number = |all: &[&str], what| all.iter().filter(|report| **report == what).count();
        let shared = number(&new, "old ship by the new program");
        println!("of 300 old jobs the old program ran {}, the new one {shared}", old.len());
        assert_eq!(number(&old, "old ship"), old.len(), "the old program ran nothing else");
        assert_eq!((number(&new, "new ship"), number(&new, "invoice"), old.len() + shared), (300, 300, 300));
        assert_eq!(count(&pool, "pgq.failures").await, 0);
    })
    .await;
}

/// Collects what is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Waits until that many runners have looked for kinds that nobody serves.
async fn until_looked(pool: &PgPool, runners: i64) {
    // With the feature `metrics`, which this suite has, a look at the queues comes next.
    let looked = "pg_stat_activity where application_name = 'pgq maintain' \
                  and (query like '-- Kinds and%' or query like '-- What the data%') \
                  and state = 'idle' and datname = current_database()";
    until(async || count(pool, looked).await >= runners).await;
}

#[tokio::test]
async fn a_kind_that_nobody_serves_is_told() {
    with_database(async |db| {
        let log = Log::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        let pool = db.pool();
        enqueue_all(&pool, 3).await;
        let told = {
            let _here = tracing::subscriber::set_default(subscriber);
            let old = Program::old(&pool);
            let handle = old.handle.clone();
            // That the server has answered does not mean that the runner has read it.
            until(async || handle.counts().unserved_kinds > 0).await;
            old.stop().await;
            assert_eq!(handle.counts().unserved_kinds, 2, "a kind, and a version of another");
            String::from_utf8(log.0.lock().unwrap().clone()).unwrap()
        };
        let lines: Vec<_> =
            told.lines().filter(|line| line.contains("no running program knows them")).collect();
        assert_eq!(lines.len(), 2, "{told}");
        for (line, kind) in lines.iter().zip(["kind=\"invoice\" version=1", "kind=\"ship\" version=2"]) {
            assert!(line.contains("WARN") && line.contains(kind) && line.contains("jobs=3"), "{line}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_kind_that_another_program_serves_is_not_told() {
    with_database(async |db| {
        let pool = db.pool();
        pgq_postgres::Admin::new(&pool).pause("shop").await.unwrap();
        enqueue_all(&pool, 3).await;
        let new = Program::new(&pool);
        until_looked(&pool, 1).await;
        let old = Program::old(&pool);
        until_looked(&pool, 2).await;
        let handle = old.handle.clone();
        old.stop().await;
        assert_eq!(handle.counts().unserved_kinds, 0);
        new.stop().await;
    })
    .await;
}

/// What a newer library's migration may do while runners of this one work: their statements stay good.
#[tokio::test]
async fn columns_that_are_added_under_load_disturb_nothing() {
    with_database(async |db| {
        let pool = db.pool();
        let running = Running::start(db);
        let mut jobs = 0;
        for table in [
            "ready",
            "leases",
            "scheduled",
            "finished",
            "payloads",
            "failures",
            "runners",
            "queues",
            "sleepers",
        ] {
            // Both before and after, so that all sessions have the statements prepared, with the table as it was.
            for half in 0..2 {
                for _ in 0..20 {
                    let wait = Duration::from_millis(5 * (jobs % 2));
                    let retried = Action::InTurn(vec![Action::Fail("once".into()), Action::Succeed]);
                    let step = if jobs % 4 == 3 { retried } else { Action::Succeed };
                    let step = Step::of(1, step).retry_waits([Duration::from_millis(5)]);
                    step.after(wait).enqueue(&pool).await.unwrap();
                    jobs += 1;
                }
                if half == 0 {
                    let add = format!("alter table pgq.{table} add column more integer default 7");
                    sqlx::raw_sql(sqlx::AssertSqlSafe(add)).execute(&pool).await.unwrap();
                }
            }
        }
        running.until(|counts| counts.completed == jobs).await;
        let (counts, _) = running.stop().await;
        assert_eq!((counts.completed, counts.retried, counts.discarded), (jobs, jobs / 4, 0));
        assert_eq!((counts.database_errors, counts.released, counts.lease_lost), (0, 0, 0));
    })
    .await;
}
