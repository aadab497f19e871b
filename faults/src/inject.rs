//! Does to workers, connections and the server what the schedule says.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use fastrand::Rng;
use sqlx::{Connection, PgConnection, query_scalar};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::disk::SmallDisk;
use crate::failover::Replica;
use crate::history::{Micros, now};
use crate::load::Load;
use crate::schedule::{Fault, Kind};
use crate::site::{Site, blocking};
use crate::timeline::Disruption;
use crate::workers::{Workers, send};

/// The names of the runner's sessions.
const SESSIONS: [&str; 5] = ["pgq claim", "pgq settle", "pgq heartbeat", "pgq maintain", "pgq listen"];

/// Sessions of a runner and the beginnings of replies to them that can be lost.
const REPLIES: [(&str, &str); 6] = [
    ("pgq claim", "INSERT 0 1"),
    ("pgq claim", "SELECT"),
    ("pgq settle", "DELETE"),
    ("pgq settle", "SELECT"),
    ("pgq heartbeat", "UPDATE"),
    ("pgq maintain", "SELECT"),
];

/// How long a lost reply is waited for; a session that says nothing loses none.
const REPLY_PATIENCE: Duration = Duration::from_millis(500);

/// Connections of a storm.
const STORM: usize = 200;

/// What injects.
#[derive(Debug)]
pub struct Injector {
    /// The server and the ways to it.
    pub site: Arc<Site>,
    /// The workers.
    pub workers: Arc<Workers>,
    /// The producers.
    pub load: Arc<Load>,
    /// What takes over when the server dies.
    pub replica: tokio::sync::Mutex<Option<Replica>>,
    /// What can be filled.
    pub disk: Option<SmallDisk>,
    /// Where faults are told, a line each: from, until, what, to whom.
    pub log: File,
    /// What was done so far.
    pub done: Mutex<Vec<Disruption>>,
    /// What could not be done, and what workers did that they must not.
    pub failed: Mutex<Vec<String>>,
}

impl Injector {
    /// Injects all of them at their times, and returns when the last is over.
    pub async fn run(self: &Arc<Self>, faults: &[Fault]) {
        let start = Instant::now();
        let mut under_way = tokio::task::JoinSet::new();
        for fault in faults {
            sleep_until(start + fault.at).await;
            while under_way.try_join_next().is_some() {}
            let (injector, fault) = (self.clone(), *fault);
            under_way.spawn(async move { injector.inject(fault).await });
        }
        while under_way.join_next().await.is_some() {}
        self.site.heal();
    }

    /// Injects one and notes it.
    pub async fn inject(&self, fault: Fault) {
        let from = now();
        let side = self.side_of(&fault);
        tracing::info!(?fault, "injecting");
        let result = self.perform(fault).await;
        let until = now();
        lock(&self.done).push(Disruption { kind: fault.kind, from, until, side });
        self.tell(&fault, from, until);
        if let Err(error) = result {
            lock(&self.failed).push(format!("{}: {error:#}", fault.kind.name()));
        }
    }

    /// For people who look for what happened.
    fn tell(&self, fault: &Fault, from: Micros, until: Micros) {
        let side = self.side_of(fault).map_or("all".into(), |side| side.to_string());
        // Nothing depends on it.
        let _ = writeln!(&self.log, "{from} {until} {} {side}", fault.kind.name());
    }

    /// Which worker it meets; the number after theirs is that of the producers. None: all of them.
    fn side_of(&self, fault: &Fault) -> Option<usize> {
        use Kind::*;
        match fault.kind {
            Kill | Pause | Terminate | TerminateTwice => Some(fault.side % self.workers.sides()),
            Reset | HalfOpen | CutMessage | LoseReply | BlackHole | Latency | Throttle | Refuse => {
                Some(fault.side)
            }
            _ => None,
        }
    }

    async fn perform(&self, fault: Fault) -> Result<()> {
        let worker = fault.side % self.workers.sides();
        let mut rng = Rng::with_seed(fault.dice);
        match fault.kind {
            Kind::Kill => self.workers.kill(worker).await,
            Kind::Pause => self.workers.pause(worker, fault.lasts).await,
            Kind::Terminate => self.workers.terminate(worker, 1, Duration::ZERO).await,
            Kind::TerminateTwice => {
                let apart = Duration::from_millis(rng.u64(0..300));
                self.workers.terminate(worker, 2, apart).await
            }
            Kind::StopImmediate | Kind::KillBackend | Kind::KillServer | Kind::KillWalWriter => {
                self.crash(fault, &mut rng).await
            }
            Kind::EndSessions | Kind::CancelStatements | Kind::KillListeners => {
                self.disturb_sessions(fault.kind, &mut rng).await
            }
            Kind::LockTable | Kind::Deadlock | Kind::PinSnapshot => {
                self.in_a_transaction(fault, &mut rng).await
            }
            Kind::StatementTimeout | Kind::LockTimeout | Kind::Serializable => self.set(fault).await,
            Kind::ConnectionStorm => self.storm(fault.lasts).await,
            Kind::FailOver => {
                let _alone = self.site.crash.lock().await;
                let replica = self.replica.lock().await.take().context("there is no replica")?;
                replica.take_over(&self.site).await
            }
            Kind::FillDisk => {
                let disk = self.disk.as_ref().context("there is no small disk")?;
                let _alone = self.site.crash.lock().await;
                disk.fill()?;
                sleep(fault.lasts).await;
                disk.empty()
            }
            Kind::DropFutures => {
                self.load.drops.store(true, Relaxed);
                sleep(fault.lasts).await;
                self.load.drops.store(false, Relaxed);
                Ok(())
            }
            _ => {
                self.disturb_network(fault, &mut rng).await;
                Ok(())
            }
        }
    }

    async fn disturb_network(&self, fault: Fault, rng: &mut Rng) {
        let side = fault.side % self.site.proxies.len();
        let proxy = &self.site.proxies[side];
        let _alone = self.site.weather[side].lock().await;
        match fault.kind {
            Kind::Reset => proxy.cut(),
            Kind::HalfOpen => proxy.cut_clients(),
            Kind::CutMessage => proxy.cut_after(rng.u64(1..20_000)),
            Kind::BlackHole => proxy.black_hole(),
            Kind::Latency => proxy.delay(Duration::from_millis(rng.u64(100..5000))),
            Kind::Throttle => proxy.throttle(rng.u32(2_000..50_000)),
            Kind::Refuse => {
                proxy.refuse();
                proxy.cut();
            }
            _ => {
                let (session, tag) = REPLIES[rng.usize(0..REPLIES.len())];
                // Where it is not said in time, the next loss takes its place.
                let _ = timeout(REPLY_PATIENCE, proxy.lose_reply(session, tag)).await;
                return;
            }
        }
        if fault.kind == Kind::CutMessage {
            // As long as it takes until so much was said, and no longer.
            sleep(REPLY_PATIENCE).await;
        }
        sleep(fault.lasts).await;
        if fault.kind == Kind::HalfOpen {
            proxy.finish_cut();
        }
        proxy.heal();
    }

    async fn crash(&self, fault: Fault, rng: &mut Rng) -> Result<()> {
        let _alone = self.site.crash.lock().await;
        let server = self.site.server().await;
        match fault.kind {
            Kind::KillBackend => self.kill_backend(rng).await?,
            Kind::KillWalWriter => self.kill_wal_writer(fault.lasts).await?,
            Kind::StopImmediate => {
                blocking(move || server.stop_immediate().and_then(|()| server.restart())).await?;
            }
            _ => blocking(move || server.kill().and_then(|()| server.restart())).await?,
        }
        self.site.connect_when_up().await.map(drop)
    }

    async fn kill_backend(&self, rng: &mut Rng) -> Result<()> {
        let mut connection = self.site.connect_when_up().await?;
        let backends: Vec<i32> = query_scalar(
            "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
        )
        .fetch_all(&mut connection)
        .await?;
        let Some(pid) = rng.choice(backends) else { return Ok(()) };
        if send("KILL", pid.unsigned_abs()).is_err() {
            // It had ended meanwhile.
            return Ok(());
        }
        ended(connection).await
    }

    async fn kill_wal_writer(&self, after: Duration) -> Result<()> {
        let mut connection = self.site.connect_when_up().await?;
        let writer: i32 = query_scalar("select pid from pg_stat_activity where backend_type = 'walwriter'")
            .fetch_one(&mut connection)
            .await?;
        send("STOP", writer.unsigned_abs())?;
        sleep(after).await;
        send("KILL", writer.unsigned_abs())?;
        ended(connection).await
    }

    async fn disturb_sessions(&self, kind: Kind, rng: &mut Rng) -> Result<()> {
        let (function, session) = match kind {
            Kind::EndSessions => ("pg_terminate_backend", SESSIONS[rng.usize(0..SESSIONS.len())]),
            Kind::CancelStatements => ("pg_cancel_backend", "pgq %"),
            _ => ("pg_terminate_backend", "pgq listen"),
        };
        let statement = format!(
            "select {function}(pid) from pg_stat_activity where application_name like '{session}' and pid <> pg_backend_pid()"
        );
        self.tolerant(&statement).await
    }

    /// Runs a statement; that the server is down, since another fault has crashed it, is no failure.
    async fn tolerant(&self, statement: &str) -> Result<()> {
        let mut connection = self.site.connect_when_up().await?;
        let statement = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned()));
        if let Err(error) = statement.execute(&mut connection).await {
            tracing::info!(%error, "a fault met another");
        }
        Ok(())
    }

    /// Holds something in a transaction of its own for as long as the fault lasts.
    async fn in_a_transaction(&self, fault: Fault, rng: &mut Rng) -> Result<()> {
        let table = ["pgq.ready", "pgq.leases", "pgq.scheduled", "pgq.runners"][rng.usize(0..4)];
        let mode = ["share", "exclusive", "access exclusive"][rng.usize(0..3)];
        let (statements, lasts) = match fault.kind {
            Kind::LockTable => (vec![format!("lock table {table} in {mode} mode")], fault.lasts),
            Kind::PinSnapshot => (
                vec![
                    "set transaction isolation level repeatable read".to_owned(),
                    "select count(*) from pgq.runners".to_owned(),
                ],
                fault.lasts,
            ),
            // Takes rows of two tables in an order that others do not.
            _ => (
                vec![
                    "set local deadlock_timeout = '50ms'".to_owned(),
                    "select from pgq.ready order by id desc limit 50 for update".to_owned(),
                    "select from pgq.leases order by id desc for update".to_owned(),
                    "select from pgq.runners order by id desc for update".to_owned(),
                    "lock table pgq.leases in share row exclusive mode".to_owned(),
                ],
                Duration::from_millis(20),
            ),
        };
        let held = async {
            let mut connection = self.site.connect().await?;
            let mut tx = connection.begin().await?;
            for statement in statements {
                sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut *tx).await?;
            }
            sleep(lasts).await;
            tx.rollback().await?;
            anyhow::Ok(())
        };
        // Deadlocks, crashes and others that lock the same are what it is about.
        if let Ok(Err(error)) = timeout(lasts + Duration::from_secs(10), held).await {
            tracing::info!(error = format!("{error:#}"), "a transaction ended early");
        }
        Ok(())
    }

    /// New sessions of everybody get a setting, for as long as the fault lasts.
    async fn set(&self, fault: Fault) -> Result<()> {
        let _alone = self.site.crash.lock().await;
        let (name, value) = match fault.kind {
            Kind::StatementTimeout => ("statement_timeout", "'1ms'"),
            Kind::LockTimeout => ("lock_timeout", "'1ms'"),
            _ => ("default_transaction_isolation", "'serializable'"),
        };
        let end_all = "select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend' \
                       and pid <> pg_backend_pid()";
        self.on_fresh_session(&format!("alter system set {name} = {value}")).await?;
        self.on_fresh_session(&format!("select pg_reload_conf(); {end_all}")).await?;
        if fault.kind == Kind::LockTimeout {
            let lock = Fault { kind: Kind::LockTable, ..fault };
            self.in_a_transaction(lock, &mut Rng::with_seed(fault.dice)).await?;
        } else {
            sleep(fault.lasts).await;
        }
        self.on_fresh_session(&format!("alter system reset {name}")).await?;
        self.on_fresh_session(&format!("select pg_reload_conf(); {end_all}")).await
    }

    /// On a session without limits of its own, until it succeeds.
    async fn on_fresh_session(&self, statement: &str) -> Result<()> {
        let mut last = None;
        for _ in 0..20 {
            let options = "-c statement_timeout=0 -c lock_timeout=0";
            let url = self.site.server().await.url();
            let connected: Result<PgConnection> = async {
                let options = url.parse::<sqlx::postgres::PgConnectOptions>()?.options(parse(options));
                Ok(timeout(Duration::from_secs(10), PgConnection::connect_with(&options)).await??)
            }
            .await;
            let result = match connected {
                Ok(mut connection) => {
                    let statement = sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned()));
                    statement.execute(&mut connection).await.map(drop).map_err(Into::into)
                }
                Err(error) => Err(error),
            };
            match result {
                Ok(()) => return Ok(()),
                Err(error) => last = Some(error),
            }
            sleep(Duration::from_millis(200)).await;
        }
        last.map_or(Ok(()), Err).context("a setting could not be changed")
    }

    /// More clients than the server takes, each as fast as it can.
    async fn storm(&self, lasts: Duration) -> Result<()> {
        let url = self.site.server().await.url();
        let until = Instant::now() + lasts;
        let mut clients = tokio::task::JoinSet::new();
        for _ in 0..STORM {
            let url = url.clone();
            clients.spawn(async move {
                while Instant::now() < until {
                    let connected = timeout(Duration::from_secs(5), PgConnection::connect(&url)).await;
                    match connected {
                        // It holds its place for a moment.
                        Ok(Ok(_session)) => sleep(Duration::from_millis(100)).await,
                        _ => sleep(Duration::from_millis(20)).await,
                    }
                }
            });
        }
        while clients.join_next().await.is_some() {}
        Ok(())
    }
}

/// Waits for the end of a session: the server ends them all before it recovers.
async fn ended(mut session: PgConnection) -> Result<()> {
    let asked = async {
        while sqlx::query("select 1").execute(&mut session).await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(10), asked)
        .await
        .context("the server did not notice that a process of it was killed")
}

/// `-c name=value` pairs.
fn parse(options: &str) -> Vec<(&str, &str)> {
    options.split("-c ").filter_map(|pair| pair.trim().split_once('=')).collect()
}

/// Nothing panics while it is held.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
