use pgq_devdb::Database;
use pgq_postgres::{Error, Runner, RunnerCounts, RunnerHandle};
use sqlx::PgPool;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;

use crate::{Probe, Ran, Step};

/// A runner of [`Step`]s at work in this process.
#[derive(Debug)]
pub struct Running {
    /// Stops it and tells what it did.
    pub handle: RunnerHandle,
    /// Lets its steps go on.
    pub probe: Probe,
    ran: UnboundedReceiver<Ran>,
    runner: JoinHandle<Result<(), Error>>,
}

impl Running {
    /// A runner with default settings.
    pub fn start(database: &Database) -> Self {
        Self::start_with(database, |runner| runner)
    }

    /// A runner with settings of the test's.
    pub fn start_with(database: &Database, settings: impl FnOnce(Runner) -> Runner) -> Self {
        Self::start_on(&database.pool(), settings)
    }

    /// The same on any database.
    pub fn start_on(pool: &PgPool, settings: impl FnOnce(Runner) -> Runner) -> Self {
        let (probe, ran) = Probe::new();
        let runner = Runner::empty().register::<Step>().state(probe.clone());
        let runner = settings(runner.pool(pool.clone()).without_signals());
        let handle = runner.handle();
        Self { handle, probe, ran, runner: tokio::spawn(runner.run()) }
    }

    /// The next attempt.
    ///
    /// # Panics
    /// If the runner ends before.
    pub async fn ran(&mut self) -> Ran {
        self.ran.recv().await.expect("the runner ended before the next attempt")
    }

    /// The next attempts, in the order of their steps.
    pub async fn ran_many(&mut self, attempts: usize) -> Vec<Ran> {
        let mut ran = Vec::with_capacity(attempts);
        while ran.len() < attempts {
            ran.push(self.ran().await);
        }
        ran.sort_unstable();
        ran
    }

    /// Waits until the counts are as the test wants them; fails after 30 seconds.
    ///
    /// # Panics
    /// If they are not in that time.
    pub async fn until(&self, wanted: impl Fn(RunnerCounts) -> bool) {
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
        while !wanted(self.handle.counts()) {
            assert!(tokio::time::Instant::now() < deadline, "the counts stay {:?}", self.handle.counts());
            tokio::task::yield_now().await;
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }

    /// Lets it finish what runs, and returns what it did and the attempts not yet asked for.
    ///
    /// # Panics
    /// If the runner ended in an error.
    pub async fn stop(mut self) -> (RunnerCounts, Vec<Ran>) {
        self.handle.stop();
        self.runner.await.expect("the runner does not panic").expect("the runner started");
        let mut rest = Vec::new();
        while let Ok(ran) = self.ran.try_recv() {
            rest.push(ran);
        }
        rest.sort_unstable();
        (self.handle.counts(), rest)
    }

    /// Ends it as by a second signal.
    pub async fn stop_now(self) -> (RunnerCounts, Vec<Ran>) {
        self.handle.stop_now();
        self.stop().await
    }
}
