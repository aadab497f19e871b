//! A runner that loses its database, wholly or by halves: its jobs stop before another starts them, nothing is lost, and
//! it works again when the database is back.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pgq_devdb::Database;
use pgq_postgres::{Context, Enqueue, Job, JobResult, Perform, Runner, RunnerCounts, RunnerHandle};
use pgq_tests::{Proxy, count, setting, states, until, with_database};
use sqlx::{PgPool, query_as, query_scalar};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Short unless `PGQ_HEARTBEAT_MS` says otherwise, so that half a minute of silence is a few seconds.
fn heartbeat() -> Duration {
    Duration::from_millis(setting("PGQ_HEARTBEAT_MS", 300))
}

/// A job that is watched from its first moment to its last, whichever way it ends.
#[derive(Job)]
#[job(state = Watch)]
struct Watched {
    n: i64,
}

/// The state of [`Watched`] in one runner: notes every run, and holds it until it is let go.
#[derive(Clone)]
struct Watch {
    runner: &'static str,
    gate: Arc<Semaphore>,
    log: Arc<Mutex<Vec<Run>>>,
}

#[derive(Debug, Clone)]
struct Run {
    n: i64,
    runner: &'static str,
    begin: Instant,
    end: Option<Instant>,
}

/// Notes the end of a run when its handler returns or is dropped.
struct End<'a> {
    watch: &'a Watch,
    run: usize,
}

impl Perform for Watched {
    async fn perform(&self, ctx: &Context<Watch>) -> JobResult {
        let _end = ctx.state().begin(self.n);
        ctx.state().gate.acquire().await?.forget();
        Ok(())
    }
}

impl Watch {
    fn begin(&self, n: i64) -> End<'_> {
        let mut log = self.log.lock().unwrap();
        log.push(Run { n, runner: self.runner, begin: Instant::now(), end: None });
        End { watch: self, run: log.len() - 1 }
    }
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.watch.log.lock().unwrap()[self.run].end = Some(Instant::now());
    }
}

/// Two runners of [`Watched`]: the far one behind a proxy, the near one not.
struct Pair {
    heartbeat: Duration,
    proxy: Proxy,
    pool: PgPool,
    log: Arc<Mutex<Vec<Run>>>,
}

/// One of them at work.
struct Side {
    watch: Watch,
    handle: RunnerHandle,
    task: JoinHandle<Result<(), pgq_postgres::Error>>,
}

impl Pair {
    async fn new(db: &Database) -> Self {
        let proxy = Proxy::start(db.url()).await;
        Self { heartbeat: heartbeat(), proxy, pool: db.pool(), log: Arc::default() }
    }

    fn far(&self) -> Side {
        self.start("far", self.proxy.pool())
    }

    fn near(&self) -> Side {
        self.start("near", self.pool.clone())
    }

    fn start(&self, name: &'static str, pool: PgPool) -> Side {
        let watch = Watch { runner: name, gate: Arc::new(Semaphore::new(0)), log: self.log.clone() };
        let runner = Runner::empty().register::<Watched>().state(watch.clone()).pool(pool).without_signals();
        let runner = runner.heartbeat_interval(self.heartbeat);
        Side { watch, handle: runner.handle(), task: tokio::spawn(runner.run()) }
    }

    async fn enqueue(&self, jobs: std::ops::Range<i64>) {
        for n in jobs {
            Watched { n }.enqueue(&self.pool).await.unwrap();
        }
    }

    /// Waits until that many runs of a runner have begun.
    async fn begun(&self, side: &Side, runs: usize) {
        until(async || self.runs().iter().filter(|run| run.runner == side.watch.runner).count() >= runs)
            .await;
    }

    fn runs(&self) -> Vec<Run> {
        self.log.lock().unwrap().clone()
    }

    /// Fails if two runs of a job were under way at a time; says how far apart they were at least.
    fn assert_no_overlap(&self) {
        let mut runs = self.runs();
        runs.sort_by_key(|run| (run.n, run.begin));
        let pairs = runs.windows(2).filter(|pair| pair[0].n == pair[1].n);
        let gap = pairs.map(|pair| {
            let end = pair[0].end.unwrap_or_else(|| panic!("{pair:?} were under way at a time"));
            pair[1].begin.checked_duration_since(end).unwrap_or_else(|| panic!("{pair:?} overlap"))
        });
        println!("the closest runs were {:?} apart", gap.min());
    }
}

impl Side {
    async fn stop(self) -> RunnerCounts {
        self.watch.gate.add_permits(1000);
        self.handle.stop();
        self.task.await.unwrap().unwrap();
        self.handle.counts()
    }
}

/// What happens when the far runner's network fails that way and heals again.
async fn jobs_move_without_overlap(fail: impl FnOnce(&Proxy), intervals: u32) {
    with_database(async |db| {
        let pair = Pair::new(db).await;
        pair.enqueue(0..5).await;
        let far = pair.far();
        pair.begun(&far, 5).await;
        let near = pair.near();
        until(async || count(&pair.pool, "pgq.runners").await >= 2).await;
        let failed = Instant::now();
        fail(&pair.proxy);
        pair.begun(&near, 5).await;
        let moved = failed.elapsed();
        println!("the jobs moved in {moved:?}, {:.1} intervals", moved.div_duration_f64(heartbeat()));
        // The near runner looks once an interval; the rest is for a busy machine.
        assert!(moved < heartbeat() * (intervals + 1) + Duration::from_secs(1), "{moved:?}");
        pair.assert_no_overlap();
        let spent: Vec<(i16, i16)> =
            query_as("select attempts, crashes from pgq.leased").fetch_all(&pair.pool).await.unwrap();
        assert_eq!(spent, [(1, 1); 5]);
        assert_eq!(near.stop().await.completed, 5);

        pair.proxy.heal();
        pair.enqueue(5..8).await;
        pair.begun(&far, 8).await;
        let counts = far.stop().await;
        assert_eq!(counts.completed, 3, "the partitioned runner works again");
        assert_eq!(pair.runs().len(), 13, "and nothing was started besides");
        assert_eq!(states(&pair.pool).await, []);
        assert_eq!(count(&pair.pool, "pgq.leases").await + count(&pair.pool, "pgq.runners").await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_in_a_black_hole_stops_its_jobs_before_another_starts_them() {
    jobs_move_without_overlap(Proxy::black_hole, 15).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_whose_connections_are_reset_stops_its_jobs_before_another_starts_them() {
    let cut_off = |proxy: &Proxy| {
        proxy.refuse();
        proxy.cut();
    };
    jobs_move_without_overlap(cut_off, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_costs_no_attempt_where_nobody_else_takes_the_jobs() {
    with_database(async |db| {
        let pair = Pair::new(db).await;
        pair.enqueue(0..5).await;
        let far = pair.far();
        pair.begun(&far, 5).await;
        pair.proxy.refuse();
        pair.proxy.cut();
        until(async || pair.runs().iter().all(|run| run.end.is_some())).await;
        pair.proxy.heal();
        pair.begun(&far, 10).await;
        let unspent: Vec<(i16, i16)> =
            query_as("select attempts, crashes from pgq.leased").fetch_all(&pair.pool).await.unwrap();
        assert_eq!(unspent, [(0, 0); 5]);
        let counts = far.stop().await;
        assert_eq!((counts.completed, counts.released, counts.lease_lost), (5, 5, 0));
        assert_eq!(states(&pair.pool).await, []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_whose_lost_session_lingers_is_safe_again_when_it_is_gone() {
    with_database(async |db| {
        // The far runner has a session again before its time without one is over, two intervals or more, on a busy machine too.
        let pair = Pair { heartbeat: heartbeat() * 4, ..Pair::new(db).await };
        pair.enqueue(0..5).await;
        let far = pair.far();
        pair.begun(&far, 5).await;
        let near = pair.near();
        let sessions =
            "pg_stat_activity where application_name = 'pgq heartbeat' and datname = current_database()";
        let locked = "pg_locks join pg_stat_activity using (pid) where locktype = 'advisory' and granted \
                      and application_name = 'pgq heartbeat' and datname = current_database()";
        until(async || count(&pair.pool, locked).await >= 2).await;
        // The far runner opens new sessions while the server still has the old ones, and with them its lock.
        pair.proxy.cut_clients();
        until(async || count(&pair.pool, sessions).await >= 3).await;
        pair.proxy.finish_cut();
        until(async || count(&pair.pool, sessions).await <= 2 && count(&pair.pool, locked).await >= 2).await;
        // The next heartbeat is sent when the answer to the lock has arrived.
        let locked_at: String =
            query_scalar("select clock_timestamp()::text").fetch_one(&pair.pool).await.unwrap();
        let silent = "select count(*) from pgq.runners where heartbeat_at < $1::timestamptz";
        until(async || {
            query_scalar::<_, i64>(silent).bind(&locked_at).fetch_one(&pair.pool).await.unwrap() == 0
        })
        .await;
        // Longer than a runner without its lock may be silent.
        pair.proxy.black_hole();
        tokio::time::sleep(pair.heartbeat * 5).await;
        pair.proxy.heal();
        assert_eq!(far.stop().await.completed, 5);
        assert_eq!((near.stop().await.rescued, pair.runs().len()), (0, 5));
        assert_eq!(states(&pair.pool).await, []);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_network_is_not_taken_for_death() {
    with_database(async |db| {
        let pair = Pair::new(db).await;
        pair.enqueue(0..5).await;
        let far = pair.far();
        pair.begun(&far, 5).await;
        let near = pair.near();
        // A round trip of four intervals: under a third of the silence that means death.
        pair.proxy.delay(heartbeat() * 2);
        tokio::time::sleep(heartbeat() * 16).await;
        assert_eq!(near.handle.counts().rescued, 0);
        far.watch.gate.add_permits(5);
        until(async || far.handle.counts().completed >= 5).await;
        pair.proxy.heal();
        assert_eq!(far.stop().await.lease_lost, 0);
        assert_eq!((near.stop().await.rescued, pair.runs().len()), (0, 5));
        assert_eq!(states(&pair.pool).await, []);
    })
    .await;
}
